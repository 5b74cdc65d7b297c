// What both TypeScript clients are held to.
import assert from 'node:assert/strict';

export const [api, key, mode] = process.argv.slice(2) as [string, string, string];
export const changed = mode === 'changed';

// words holds that every word is one that the contract lists, or none is.
export function words(...all: (string | null | undefined)[]): void {
  for (const word of all) {
    assert.equal(word === 'added_later', changed, `${word} of ${all}`);
  }
}

export function there<T>(value: T | null | undefined, what: string): T {
  assert.ok(value !== null && value !== undefined, `${what} is missing`);
  return value;
}
