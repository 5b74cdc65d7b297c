import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import {test} from 'node:test';
import {SignatureError, Webhook} from '@payrelay/client';

// The example that Standard Webhooks' own libraries are tested with.
const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const id = 'msg_p5jXN8AQM9LWM0D4loKWxJek';
const signedAt = 1614265330;
const signed = '{"test": 2432232314}';
const signature = 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';

for (const [name, signatures, body, late, valid] of /** @type {[string, string, string, number, boolean][]} */ ([
  ['as it is', signature, signed, 0, true],
  ['the second of two', `v1,AAAA ${signature}`, signed, 0, true],
  ['the first of two', `${signature} v2,AAAA`, signed, 0, true],
  ['within five minutes', signature, signed, 299, true],
  ['a clock that is behind', signature, signed, -299, true],
  ['too old', signature, signed, 301, false],
  ['from the future', signature, signed, -301, false],
  ['another body', signature, `${signed} `, 0, false],
  ['another version', signature.replace('v1', 'v1a'), signed, 0, false],
  ['half a signature', signature.slice(0, 20), signed, 0, false],
  ['an empty signature', 'v1,', signed, 0, false],
  ['none', '', signed, 0, false],
])) {
  test(`the example of Standard Webhooks: ${name}`, (t) => {
    t.mock.timers.enable({apis: ['Date'], now: (signedAt + late) * 1000});
    const headers = {'webhook-id': id, 'webhook-timestamp': String(signedAt), 'webhook-signature': signatures};
    for (const [given, raw] of /** @type {const} */ ([[headers, body], [new Headers(headers), Buffer.from(body)]])) {
      const verify = () => new Webhook(secret).verify(given, raw);
      if (valid) assert.deepEqual(verify(), {test: 2432232314});
      else assert.throws(verify, SignatureError);
    }
  });
}

test('headers that are missing', () => {
  assert.throws(() => new Webhook(secret).verify({}, signed), SignatureError);
});

test('a body that was parsed already is told', () => {
  assert.throws(() => new Webhook(secret).verify({}, JSON.parse(signed)), /express\.raw/);
});

test('a secret is checked', () => {
  for (const wrong of ['', 'whsec_', 'whsec_!', 'prk_test_demo']) assert.throws(() => new Webhook(wrong), /no webhook secret/);
});

test('CommonJS can require it', () => {
  assert.equal(createRequire(import.meta.url)('@payrelay/client').Webhook, Webhook);
});
