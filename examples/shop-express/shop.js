// @ts-check
// A shop that sells one thing. It takes the payment, believes the signed notification, and refunds.
//
//   npm install && WEBHOOK_SECRET=whsec_… node shop.js
import {Payrelay, PayrelayError, SignatureError, Webhook} from '@payrelay/client';
import express from 'express';
import {randomUUID} from 'node:crypto';

const [host = '127.0.0.1', port = '3000'] = process.env['LISTEN']?.split(':') ?? [];
const client = new Payrelay(process.env['PAYRELAY_URL'] ?? 'http://127.0.0.1:8080', process.env['PAYRELAY_KEY'] ?? 'prk_test_demo');
const webhook = new Webhook(process.env['WEBHOOK_SECRET'] ?? '');
/** @type {Map<string, import('@payrelay/client').Order>} Each order as the last notification told it, by its kind and reference: your database. */
const orders = new Map();

const app = express();

// The signature is over the raw bytes: this route comes before anything that parses bodies.
app.post('/notifications', express.raw({type: 'application/json'}), (request, response) => {
  const {type, order} = webhook.verify(request.headers, request.body);
  orders.set(`${order.kind} ${order.reference}`, order);
  if (type === 'payment.succeeded') console.log(`verified: ${order.reference} is paid, send the socks`);
  response.sendStatus(204);
});

app.get('/', (_, response) => {
  response.send('<!doctype html><title>Socks</title><form method="post" action="/buy"><button id="buy">Buy blue socks for 10 EUR</button></form>');
});

app.post('/buy', async (request, response) => {
  const reference = randomUUID(); // a real shop stores it before it asks
  const back = `http://${request.headers.host}/orders/${reference}`;
  const payment = await client.createPayment({
    reference, amount: 1000, currency: 'EUR', description: 'Blue socks', return_urls: {success: back, fail: back},
    customer: {
      first_name: 'John', last_name: 'Doe', email: 'john@example.com', phone: '+442079460612', ip: '127.0.0.1',
      address: {line: '10 Downing Street', city: 'London', postal_code: 'SW1A 2AA', country: 'GB'},
    },
  });
  response.redirect(303, payment.next_action?.url ?? back);
});

app.get('/orders/:reference', (request, response) => {
  const {reference} = request.params;
  const payment = orders.get(`payment ${reference}`), refund = orders.get(`refund ${reference}`);
  response.send(`<!doctype html><title>Socks</title><meta http-equiv="refresh" content="2"><p>Your payment: <b id="payment">${payment?.status ?? ''}</b></p>${
    refund ? `<p>Your refund: <b id="refund">${refund.status}</b></p>`
      : payment?.status === 'succeeded' ? `<form method="post" action="/orders/${payment.reference}/refund"><button id="give-back">Refund</button></form>` : ''}`);
});

app.post('/orders/:reference/refund', async (request, response) => {
  const {reference} = request.params;
  await client.refundPayment(orders.get(`payment ${reference}`)?.id ?? '', {reference, reason: 'Too small'});
  response.redirect(303, `/orders/${reference}`);
});

app.use(/** @type {express.ErrorRequestHandler} */ ((error, _request, response, _next) => {
  console.error(error instanceof PayrelayError ? `${error.code}, request ${error.requestId}` : error);
  response.status(error instanceof SignatureError ? 401 : 502).send("Something went wrong. Your order's page shows whether you paid.");
}));

app.listen(Number(port), host, () => console.log(`the shop is at http://${host}:${port}/`));
