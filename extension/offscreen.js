// SPDX-License-Identifier: Apache-2.0
// The document in which Chromium's background runs the regular check.

import {api} from './ext.js';
import {gather} from './gather.js';

const ext = api();

ext.runtime.onMessage.addListener((message, sender, answer) => {
  const ours = sender.id === ext.runtime.id && !sender.tab && Array.isArray(message?.gather);
  if (ours) gather(message.gather).then(answer);
  return ours;
});
