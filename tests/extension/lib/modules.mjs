// SPDX-License-Identifier: Apache-2.0
// The extension's scripts are modules named .js, with no package.json beside them, as browsers like it. Node 18
// needs to be told so: `node --import ./lib/modules.mjs`.

import {register} from 'node:module';

const hooks = `export const load = (url, context, next) =>
  next(url, /[/]extension[/][^/]+[.]js$/.test(url) ? {...context, format: 'module'} : context);`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
