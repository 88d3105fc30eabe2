// SPDX-License-Identifier: Apache-2.0
// The text for a bug report. No browser API in here.

/** Each IP address becomes a word that only says that one was there.
 * @param {string} text @returns {string} */
export const withoutAddresses = (text) => text
  .replace(/(?<![\w:])(?=[\da-f:.]*:[\da-f:.]*:)[\da-f:.]{2,}(?![\w:])/gi, '(IPv6)')
  .replace(/(?<![\w.])\d{1,3}(\.\d{1,3}){3}(?!\w|\.\d)/g, '(IPv4)');

/** @param {{version: string, agent: string, language: string, permissions: unknown, raw: any,
 *   settings: import('./settings.js').Settings, privateWindows: boolean}} known
 * @param {boolean} addresses whether IP addresses may stay */
export function diagnose({version, agent, language, permissions, raw, settings, privateWindows}, addresses) {
  const {stunServers, ...rest} = settings;
  const lines = [`language ${language}, private windows ${privateWindows}`,
    `permissions ${JSON.stringify(permissions)}`,
    `settings ${JSON.stringify(rest)}`, `STUN servers ${stunServers.join(' ')}`];
  if (raw) {
    const {state, ...own} = raw;
    lines.push(`extension ${JSON.stringify(own)}`, `host ${JSON.stringify(state, null, 1)}`);
  }
  const text = lines.join('\n');
  // Versions look like addresses, so what the browser says of itself stays as it is.
  return `icelock ${version}\n${agent}\n${addresses ? text : withoutAddresses(text)}\n`;
}
