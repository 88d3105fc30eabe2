// SPDX-License-Identifier: Apache-2.0
// IPv4 address blocks, for route lists with holes.
const number = (text) => text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const text = (value) => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');

/// The fewest blocks, as 'a.b.c.d/n', that hold every IPv4 address but those in `holes`.
export function all_but(...holes) {
  const ranges = holes.map((hole) => hole.split('/')).map(([address, length]) => {
    const size = 2 ** (32 - Number(length));
    const begin = Math.floor(number(address) / size) * size;
    return {begin, end: begin + size};
  });
  const blocks = (begin, length) => {
    const end = begin + 2 ** (32 - length);
    if (ranges.some((range) => range.begin <= begin && end <= range.end)) return [];
    if (!ranges.some((range) => range.begin < end && begin < range.end)) return [`${text(begin)}/${length}`];
    return [...blocks(begin, length + 1), ...blocks((begin + end) / 2, length + 1)];
  };
  return blocks(0, 0);
}

/// The same block as OpenVPN wants it: address and mask.
export function with_mask(block) {
  const [address, length] = block.split('/');
  return [address, text(2 ** 32 - 2 ** (32 - Number(length)))];
}
