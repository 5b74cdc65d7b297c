// A first payment with @hey-api/openapi-ts.
import assert from 'node:assert/strict';
import {createPayment, getPayment, listAccounts, listNotifications, listTransitions} from '../out/heyapi-client/index.js';
import {client} from '../out/heyapi-client/client.gen.js';
import {api, changed, key, there, words} from './check.js';

client.setConfig({baseUrl: api, auth: key});

const account = there((await listAccounts({query: {limit: 1}})).data?.data[0], 'an account');

const payment = {
  reference: `heyapi-${Date.now()}`, amount: 1000, currency: 'EUR',
  customer: {
    first_name: 'John', last_name: 'Doe', email: 'john@example.com', phone: '+442079460612', ip: '127.0.0.1',
    address: {line: '10 Downing Street', city: 'London', postal_code: 'SW1A 2AA', country: 'GB'},
  },
};
const made = await createPayment({body: payment});
const order = there(made.data, `a payment: ${JSON.stringify(made.error)}`);
const path = {id: order.id};

const read = there((await getPayment({path})).data, 'the payment');
assert.equal(read.id, order.id);
assert.equal(read.failure, null);

const transitions = there((await listTransitions({path})).data, 'its transitions');
assert.ok(transitions.data.length >= 2);

const feed = there((await listNotifications()).data, 'the feed');

const refused = await createPayment({body: {...payment, reference: payment.reference + '-2', currency: 'ZZZ'}});
assert.equal(refused.response?.status, changed ? 418 : 422);
const problem = there(refused.error, 'a problem');
assert.ok(there(problem.errors, 'errors').length > 0);

words(read.status, read.flow, there(order.next_action, 'an action').type, transitions.data[0]?.cause, problem.code, account.capabilities[0]);
words(...feed.data.flatMap((n) => [n.type, n.order.status]));
