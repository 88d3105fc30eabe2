// SPDX-License-Identifier: Apache-2.0
// The parts of the extension API that icelock uses, with the habits that were seen in the real browsers:
// set() resolves when it had no effect, and a missing host shows only as a port that closes.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {extensionDir} from './common.mjs';

/** @typedef {'chromium' | 'firefox'} Family */

const messages = JSON.parse(readFileSync(join(extensionDir, '_locales/en/messages.json'), 'utf8'));

class FakeEvent {
  /** @type {((...args: any[]) => void)[]} */
  listeners = [];
  /** @param {(...args: any[]) => void} listener */
  addListener(listener) { this.listeners.push(listener); }
  /** @param {any[]} args */
  fire(...args) { for (const listener of [...this.listeners]) listener(...args); }
  /** @param {(...args: any[]) => void} listener */
  hasListener(listener) { return this.listeners.includes(listener); }
}

/** Alarms that ring by the timers of the moment (fake_clock.mjs), or when a test fires them. */
const createAlarms = () => {
  /** @type {Map<string, any>} */
  const set = new Map();
  const timers = new Map();
  const onAlarm = new FakeEvent();
  /** @param {string} name */
  const ring = (name) => {
    const {periodInMinutes} = set.get(name) ?? {};
    if (periodInMinutes) start(name, periodInMinutes * 60_000);
    else set.delete(name);
    onAlarm.fire({name});
  };
  /** @param {string} name @param {number} ms */
  const start = (name, ms) => {
    clearTimeout(timers.get(name));
    const timer = setTimeout(() => ring(name), ms);
    timers.set(name, timer);
    /** @type {any} */ (timer).unref?.();
  };
  return {set, onAlarm,
    get: async (/** @type {string} */ name) => set.get(name),
    create: (/** @type {string} */ name, /** @type {any} */ how) => {
      set.set(name, how);
      start(name, how.when === undefined ? (how.delayInMinutes ?? how.periodInMinutes) * 60_000
        : Math.max(0, how.when - Date.now()));
    },
    clear: async (/** @type {string} */ name) => {
      clearTimeout(timers.get(name));
      return set.delete(name);
    }};
};

/** Tabs with these addresses, by id. @param {Record<number, string>} addresses */
const createTabs = (addresses) => {
  /** @type {Map<number, any>} */
  const open = new Map(Object.entries(addresses).map(([id, url]) =>
    [Number(id), {id: Number(id), url, title: `Page ${id}`, index: 0, windowId: 1}]));
  /** @type {any[][]} */
  const asked = [];
  const [onCreated, onRemoved, onReplaced] = [new FakeEvent(), new FakeEvent(), new FakeEvent()];
  return {open, asked, onCreated, onRemoved, onReplaced, onActivated: new FakeEvent(), onUpdated: new FakeEvent(),
    async get(/** @type {number} */ id) {
      if (!open.has(id)) throw new Error(`No tab with id: ${id}.`);
      return open.get(id);
    },
    query: async () => [...open.values()],
    async create(/** @type {any} */ how) {
      asked.push(['create', how.url]);
    },
    async reload(/** @type {number} */ id) { asked.push(['reload', id]); },
    async remove(/** @type {number} */ id) {
      asked.push(['remove', id]);
      if (open.delete(id)) onRemoved.fire(id, {isWindowClosing: false});
    }};
};

/** One privacy setting: who holds it, and what each would have. */
class FakeSetting {
  onChange = new FakeEvent();
  control = 'controllable_by_this_extension';
  /** @type {unknown} */
  own = undefined;
  broken = false;
  /** What private windows have that differs. @type {{value: unknown, levelOfControl: string} | null} */
  inPrivate = null;

  /** @param {string} name @param {unknown} value @param {unknown[][]} log */
  constructor(name, value, log) {
    Object.assign(this, {name, value, log});
    /** @type {string} */ this.name;
    /** @type {unknown} */ this.value;
    /** @type {unknown[][]} */ this.log;
    this.initial = value;
  }

  /** @param {{value: unknown}} details */
  async set({value}) {
    this.log.push(['set', this.name, value]);
    if (this.broken) throw new Error('the browser refused');
    this.own = value;
    if (!this.control.endsWith('_by_this_extension')) return;
    this.control = 'controlled_by_this_extension';
    this.become(value);
  }

  /** @param {{incognito?: boolean}} [details] */
  async get({incognito = false} = {}) {
    if (!incognito) this.log.push(['get', this.name]);
    if (this.broken) throw new Error('the browser refused');
    if (incognito && this.inPrivate) return this.inPrivate;
    return {value: this.value, levelOfControl: this.control};
  }

  async clear() {
    this.log.push(['clear', this.name]);
    this.own = undefined;
    this.control = 'controllable_by_this_extension';
    this.become(this.initial);
  }

  /** Somebody else takes hold. @param {string} control @param {unknown} value */
  holdBy(control, value) {
    this.control = control;
    this.become(value);
  }

  /** @param {unknown} value */
  become(value) {
    const changed = value !== this.value;
    this.value = value;
    if (changed) this.onChange.fire({value, levelOfControl: this.control});
  }
}

/** The far end of a native port, as a test plays it. */
export class FakePort {
  onMessage = new FakeEvent();
  onDisconnect = new FakeEvent();
  /** @type {any[]} */
  sent = [];
  closed = false;
  name = '';
  /** @type {any} */
  sender = undefined;
  /** @type {Error | null} */
  error = null;

  /** @param {unknown[][]} log @param {Browser} browser */
  constructor(log, browser) {
    this.log = log;
    this.browser = browser;
  }

  /** @param {any} frame */
  postMessage(frame) {
    if (this.closed) throw new Error('Attempting to use a disconnected port object');
    this.sent.push(structuredClone(frame));
    this.log.push(['post', frame.op]);
    if (frame.op) this.browser.answer?.(frame, this);
  }

  disconnect() { this.closed = true; }

  /** The host writes a frame. @param {any} frame */
  say(frame) { this.onMessage.fire(frame); }

  /** The host ends. @param {string} [why] */
  end(why = 'Native host has exited.') {
    this.closed = true;
    this.browser.lastError = {message: why};
    this.onDisconnect.fire(this);
    this.browser.lastError = undefined;
  }

  /** The requests of one kind. @param {string} op */
  asked(op) { return this.sent.filter((frame) => frame.op === op); }
}

/** @typedef {ReturnType<typeof createBrowser>} Browser */

/** @param {{family?: Family, local?: object, session?: object, managed?: object,
 *   tabs?: Record<number, string>}} [options] */
export function createBrowser(options = {}) {
  const {family = 'chromium', local = {}, session = {}, managed = {}, tabs: addresses = {}} = options;
  /** @type {unknown[][]} everything that the extension asked of the browser, in order */
  const log = [];
  const changed = new FakeEvent();
  const area = (/** @type {string} */ name, /** @type {any} */ content) => ({
    content, broken: false,
    async get() {
      if (this.broken) throw new Error('storage is broken');
      return structuredClone(this.content);
    },
    /** @param {object} items */
    async set(items) {
      log.push(['store', name, structuredClone(items)]);
      if (this.broken) throw new Error('storage is broken');
      Object.assign(this.content, structuredClone(items));
      changed.fire(items, name);
    },
  });
  const events = {onConnect: new FakeEvent(), onStartup: new FakeEvent(), onInstalled: new FakeEvent()};
  const policy = new FakeSetting('policy', 'default', log);
  const peer = new FakeSetting('peer', true, log);
  const shown = {icon: '', title: '', badge: ''};
  const alarms = createAlarms();
  const tabs = createTabs(addresses);
  const windows = {open: [{id: 1}], onRemoved: new FakeEvent(),
    async getAll() { return this.open; }};
  const permissions = {given: false, onAdded: new FakeEvent(), onRemoved: new FakeEvent(),
    async contains() { return this.given; }};
  /** @type {any[]} */
  let scripts = [];
  const scripting = {
    getRegisteredContentScripts: async () => scripts,
    registerContentScripts: async (/** @type {any[]} */ more) => { scripts.push(...more); },
    unregisterContentScripts: async () => { scripts = []; },
  };
  const base = `${family === 'firefox' ? 'moz' : 'chrome'}-extension://id/`;
  /** @type {any[]} notifications that were made */
  const notified = [];

  const browser = {
    family, log, shown, policy, peer, events, alarms, tabs, windows, permissions, notified,
    get opened() { return tabs.asked.filter(([what]) => what === 'create').map(([, url]) => url); },
    get scripts() { return scripts; },
    local: area('local', local), session: area('session', session), managed: area('managed', managed),
    /** @type {{message: string} | undefined} */ lastError: undefined,
    /** whether the host is installed */ installed: true,
    /** @type {FakePort[]} */ ports: [],
    /** @type {((frame: any, port: FakePort) => void) | null} plays the host */ answer: null,
    get port() { return browser.ports[browser.ports.length - 1]; },
    /** Somebody connects. @param {string} name @param {object} sender */
    connect(name, sender) {
      const port = new FakePort(log, browser);
      Object.assign(port, {name, sender});
      events.onConnect.fire(port);
      return port;
    },
    /** Opens the popup, or another page. */
    openPopup: (name = 'popup') => browser.connect(name, {id: 'id', url: `${base}${name}.html`}),
    ext: /** @type {any} */ (null),
  };
  browser.ext = {
    runtime: {
      ...events,
      id: 'id',
      get lastError() { return browser.lastError; },
      getURL: (/** @type {string} */ path) => `${base}${path}`,
      connectNative() {
        const port = new FakePort(log, browser);
        browser.ports.push(port);
        log.push(['connect']);
        if (!browser.installed) setImmediate(() => port.end('Specified native messaging host not found.'));
        return port;
      },
    },
    storage: {local: browser.local, session: browser.session, managed: browser.managed, onChanged: changed},
    privacy: {network: family === 'firefox'
      ? {webRTCIPHandlingPolicy: policy, peerConnectionEnabled: peer} : {webRTCIPHandlingPolicy: policy}},
    alarms,
    windows,
    commands: {onCommand: new FakeEvent()},
    management: {getSelf: async () => ({installType: 'normal'})},
    notifications: {onClicked: new FakeEvent(),
      create: (/** @type {string} */ id, /** @type {any} */ what) => notified.push({id, ...what})},
    tabs, permissions, scripting,
    extension: {isAllowedIncognitoAccess: async () => true},
    i18n: {getMessage: (/** @type {string} */ key) => messages[key]?.message ?? ''},
    action: {
      async setIcon(/** @type {any} */ {path}) { shown.icon = /(\w+)-16/.exec(path[16])?.[1] ?? ''; },
      async setTitle(/** @type {any} */ {title}) { shown.title = title; },
      async setBadgeText(/** @type {any} */ {text}) { shown.badge = text; },
    },
  };
  return browser;
}

/** A state as the host sends it. @param {object} [changes] */
export const hostState = (changes = {}) => ({
  v: 1,
  network: {ipv4: {verdict: 'tunnel', link: 'tun0', excluded_routes: false},
    ipv6: {verdict: 'direct', link: 'enp3s0', excluded_routes: false}},
  tunnels: [{link: 'tun0', kind: 'tun', ipv4: 'full', ipv6: 'none'}],
  mode: 'auto', mode_level: 'force_proxy', floor: 'unrestricted',
  decision: {chromium: 'force_proxy', firefox: 'default_route_only'},
  held_seconds: 0,
  reasons: [{code: 'ipv6_outside_tunnel', text: 'VPN tun0 carries no IPv6; enp3s0 routes it.',
    args: {tunnel: 'tun0', link: 'enp3s0'}}],
  ...changes});

/** A state in which both families are at one level. @param {string} level @param {object} [changes] */
export const stateAt = (level, changes = {}) =>
  hostState({decision: {chromium: level, firefox: level}, ...changes});

/** A host that answers everything; `state` may be changed between answers.
 * @param {{serial?: number, state: any}} host */
export const goodHost = (host) => (/** @type {any} */ frame, /** @type {FakePort} */ port) => {
  const envelope = {v: 1, id: frame.id, ok: true};
  const state = {serial: host.serial ?? 1, state: host.state};
  if (frame.op === 'report') setImmediate(() => port.say(envelope));
  else setImmediate(() => port.say({...envelope, ...state}));
};

/** What a probe finds on the machine of `hostState`. */
export const hostLinks = [
  {link: 'enp3s0', kind: '', class: 'physical', up: true, running: true,
    addresses: [{address: '192.168.77.10', prefix: 24}, {address: '2001:db8:77::10', prefix: 64}]},
  {link: 'tun0', kind: 'tun', class: 'tunnel', up: true, running: true,
    addresses: [{address: '10.8.0.2', prefix: 24, finished: true,
      candidates: [{type: 'host', address: '10.8.0.2'}, {type: 'srflx', address: '198.51.100.20'}]}]}];

/** The state of a machine without a VPN. @param {object} [changes] */
export const plainState = (changes = {}) => stateAt('unrestricted', {
  network: {ipv4: {verdict: 'direct', link: 'enp3s0', excluded_routes: false},
    ipv6: {verdict: 'direct', link: 'enp3s0', excluded_routes: false}},
  tunnels: [], reasons: [{code: 'no_tunnel', text: 'No VPN carries web traffic.'}], ...changes});
