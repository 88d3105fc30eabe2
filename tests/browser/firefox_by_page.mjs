// SPDX-License-Identifier: Apache-2.0
// What Firefox shows under locked preferences, by the address family over which the page itself came and by
// stored permission. firefox_by_page.mjs [SCENARIO [LEVEL [RUNS]]] prints a table and leaves it as JSON; it judges
// nothing.
import {Lab} from '../lab/lab.mjs';
import {origins, pages} from '../lab/network.mjs';
import {Report, text_of} from './expect.mjs';
import {Firefox} from './firefox.mjs';
import {write_policy} from './policy_files.mjs';

const [scenario = 'ovpn_full_v6', level = 'default_route_only', runs = '3'] = process.argv.slice(2);
const all_pages = {...origins, plain: pages.plain};

const lab = await Lab.build(scenario);
await lab.tunnel_up();
write_policy('firefox', level);
const report = new Report(`firefox_by_page.${scenario}.${level}`);
for (let run = 1; run <= Number(runs); ++run) {
  for (const permission of ['none', 'stored']) {
    const browser = await Firefox.launch({granted: permission === 'stored' ? Object.values(all_pages) : [],
                                          accept_insecure: true});
    report.check(`run ${run}: preferences locked at ${level}`,
                 await browser.locked() && await browser.level() === level);
    for (const [name, url] of Object.entries(all_pages)) {
      lab.wire_reset();
      const seen = text_of(await browser.read(url));
      const wire = Object.entries(lab.wire()).filter(([, packets]) => packets > 0)
          .map(([sender, packets]) => `${sender}=${packets}`).join(' ') || 'nothing';
      report.figure(`permission ${permission}, page ${name}, run ${run}`, `${seen} | wire ${wire}`);
    }
    await browser.close();
  }
}
process.exit(report.finish());
