// SPDX-License-Identifier: Apache-2.0
import {createControl} from './control.js';
import {api} from './ext.js';

createControl(api());
