import { Caller, type CallOptions, type ReadOptions } from './caller.js';
import type { PaymentRequest, CaptureRequest, ConfirmRequest, RefundRequest, ChargeRequest, PayoutRequest, PayoutCardRequest, TransferRequest, TransferImportRequest, TransactionReportRequest, Order, OrderList, Mandate, MandateList, Transition, Attempt, AttemptList, TransitionList, Notification, NotificationList, RequestLogEntry, RequestList, Dispute, DisputeList, DisputeResolution, Account, AccountList, PaymentPreview, CardFrameRequest, CardFrame, Balance, TransactionReport, TransactionReportRowList, TransactionReportRow, ListMandatesQuery, ListDisputesQuery, ListOrdersQuery, ListTransitionsQuery, ListAttemptsQuery, ListNotificationsQuery, ListRequestsQuery, ListAccountsQuery, ListTransactionReportRowsQuery } from './schema.gen.js';
/** A method for each call of the contract, and one more for each list, which reads all its pages. */
export declare class Operations extends Caller {
    /** Start a payment: POST /v1/payments.
     * Hosted by default: the answer's `next_action` is the provider's own form, and no card data comes here. With `flow: direct` the card or wallet
     * goes to the provider through payrelay's memory and is kept nowhere. */
    createPayment(body: PaymentRequest, options?: CallOptions): Promise<Order>;
    /** Which account would take a payment: POST /v1/payments/preview.
     * Takes the body of a payment and says where it would go now, and why not to your other accounts. Nothing is stored or sent, and the `reference` stays free.
     * A payment that would be refused is refused alike, such as with `no_route`, `missing_fields`, `limit_exceeded` or `reference_conflict`. It is counted with no limit.
     * A repeat would be answered with the payment of that `reference`: its account is shown.
     * An `Idempotency-Key` does not replay it. */
    previewPayment(body: PaymentRequest, options?: ReadOptions): Promise<PaymentPreview>;
    /** Read one payment: GET /v1/payments/{id}.
     * Its status and sums as they are now. Nobody is asked: see `POST /v1/orders/{id}/refresh`. */
    getPayment(id: string, options?: ReadOptions): Promise<Order>;
    /** Capture a held payment, all or part: POST /v1/payments/{id}/capture.
     * Answers with the payment; `processing` while the provider has not said how it ended, or how much of a part it took. An account that captures holds whole answers 422 `not_supported_by_provider` to a part. */
    capturePayment(id: string, body?: CaptureRequest, options?: CallOptions): Promise<Order>;
    /** Release a held payment, or give up an unpaid one where the provider can: POST /v1/payments/{id}/cancel.
     * Answers with the payment. An account that can do this has the capability `cancel`. */
    cancelPayment(id: string, options?: CallOptions): Promise<Order>;
    /** Answer a confirm_code action: POST /v1/payments/{id}/confirm.
     * Sends the code that the customer typed to the provider. A wrong one is answered with 422 `wrong_code`. */
    confirmPayment(id: string, body: ConfirmRequest, options?: CallOptions): Promise<Order>;
    /** Refund a payment, all or part: POST /v1/payments/{id}/refunds.
     * A refund is an order of its own. The sum of refunds never exceeds what was captured, however many run at once. */
    refundPayment(id: string, body: RefundRequest, options?: CallOptions): Promise<Order>;
    /** Your mandates, newest first: GET /v1/mandates.
     * Each as it stands now. Its charges are the orders with the mandate as `parent_id`. */
    listMandates(query?: ListMandatesQuery, options?: ReadOptions): Promise<MandateList>;
    /** Reads what {@link listMandates} does, page after page. */
    allMandates(query?: ListMandatesQuery, options?: ReadOptions): AsyncGenerator<Mandate, void, undefined>;
    /** Read one mandate: GET /v1/mandates/{id}.
     * Its terms, and how it stands now. */
    getMandate(id: string, options?: ReadOptions): Promise<Mandate>;
    /** Charge a mandate: POST /v1/mandates/{id}/charges.
     * A payment of its own, with the mandate as `parent_id`. Its terms are checked in the transaction that writes the charge down, one charge of a mandate
     * after the other: a refusal names the term, and nothing was stored or sent. The customer may have to come back, `requires_action` says so. */
    chargeMandate(id: string, body: ChargeRequest, options?: CallOptions): Promise<Order>;
    /** Pause a mandate: POST /v1/mandates/{id}/pause.
     * Nothing is charged until it is resumed. A charge that is under way goes on. */
    pauseMandate(id: string, options?: CallOptions): Promise<Mandate>;
    /** Resume a paused mandate: POST /v1/mandates/{id}/resume.
     * Also one that was paused because its first payment was given back or charged back whole. */
    resumeMandate(id: string, options?: CallOptions): Promise<Mandate>;
    /** Revoke a mandate for good: POST /v1/mandates/{id}/revoke.
     * It holds at once: no charge is begun after the answer. A charge that is under way goes on. It works also while the shop or the account is switched off. Where the provider begins charges its schedule is ended, too: 502 says that it did not confirm that, the mandate is `revoking`, and the same request ends the schedule again. */
    revokeMandate(id: string, options?: CallOptions): Promise<Mandate>;
    /** Send money out: POST /v1/payouts.
     * To a card, a card that the customer left (`/v1/payout-cards`), a phone balance or a bank account. Never sent twice, whatever happens to the first try. */
    createPayout(body: PayoutRequest, options?: CallOptions): Promise<Order>;
    /** Read one payout: GET /v1/payouts/{id}.
     * Its status as it is now. */
    getPayout(id: string, options?: ReadOptions): Promise<Order>;
    /** Open a form on which the customer leaves a card for payouts: POST /v1/payout-cards.
     * The answer's `next_action` is the provider's own form. When the order has succeeded, its id is what a payout names as `payout_card_id`. */
    createPayoutCard(body: PayoutCardRequest, options?: CallOptions): Promise<Order>;
    /** Read one payout card: GET /v1/payout-cards/{id}.
     * Its status as it is now. Once it has succeeded, its id is what a payout names as `payout_card_id`. */
    getPayoutCard(id: string, options?: ReadOptions): Promise<Order>;
    /** Read one refund: GET /v1/refunds/{id}.
     * Its status as it is now. The payment is its `parent_id`. */
    getRefund(id: string, options?: ReadOptions): Promise<Order>;
    /** Move money from card to card: POST /v1/transfers.
     * Each end is a card that the provider keeps (`card_id`) or a card. `customer` is the recipient, whom the provider tells about the money. The
     * sender's bank may ask for something first: `requires_action` then, with a form to post or a code to send to `/v1/transfers/{id}/confirm`.
     * Never sent twice, whatever happens to the first try. */
    createTransfer(body: TransferRequest, options?: CallOptions): Promise<Order>;
    /** Follow a transfer that was started elsewhere: POST /v1/transfers/import.
     * By the provider's id, by the number of its receipt, or by both. The provider is asked at once, and the order is followed from then on like
     * any other. Importing a transfer twice, or one that you started here, gives the order that there is, with 200. */
    importTransfer(body: TransferImportRequest, options?: CallOptions): Promise<Order>;
    /** Answer a transfer's confirm_code action: POST /v1/transfers/{id}/confirm.
     * Sends the code that the sender typed to the provider. A wrong one is answered with 422 `wrong_code`. */
    confirmTransfer(id: string, body: ConfirmRequest, options?: CallOptions): Promise<Order>;
    /** Read one transfer: GET /v1/transfers/{id}.
     * Its status as it is now. */
    getTransfer(id: string, options?: ReadOptions): Promise<Order>;
    /** Read one order of any kind: GET /v1/orders/{id}.
     * For when you have an id and do not know, or care, of what kind the order is. */
    getOrder(id: string, options?: ReadOptions): Promise<Order>;
    /** Your disputes, the newest first: GET /v1/disputes.
     * A dispute is money of a payment that moved without payrelay, such as a chargeback or a refund made in the provider's cabinet. */
    listDisputes(query?: ListDisputesQuery, options?: ReadOptions): Promise<DisputeList>;
    /** Reads what {@link listDisputes} does, page after page. */
    allDisputes(query?: ListDisputesQuery, options?: ReadOptions): AsyncGenerator<Dispute, void, undefined>;
    /** One dispute: GET /v1/disputes/{id}.
     * Its history is that of its payment, `GET /v1/orders/{id}/transitions`. */
    getDispute(id: string, options?: ReadOptions): Promise<Dispute>;
    /** Decide about a dispute: POST /v1/disputes/{id}/resolve.
     * `accept` ends it as it is: what is gone is gone, and money of a `late_success` or `unauthorized_charge` is yours: deliver. Refunds of what is left of the payment are possible again. `refund` gives the money of a `late_success` or `unauthorized_charge` back: the dispute is `refunding`, a refund with the reference `dispute-ID-SEQUENCE` of the dispute begins, and the dispute is `closed`. If the refund fails at once, it is open again. Of several decisions at once one counts. */
    resolveDispute(id: string, body: DisputeResolution, options?: CallOptions): Promise<Dispute>;
    /** Search orders, newest first: GET /v1/orders.
     * Every filter narrows the search; without one you get all orders of your shop. The list is stable while new orders arrive. */
    listOrders(query?: ListOrdersQuery, options?: ReadOptions): Promise<OrderList>;
    /** Reads what {@link listOrders} does, page after page. */
    allOrders(query?: ListOrdersQuery, options?: ReadOptions): AsyncGenerator<Order, void, undefined>;
    /** The transitions of an order: GET /v1/orders/{id}/transitions.
     * Every transition, the oldest first, with its cause and the evidence for it. Their number is the order's `sequence`. */
    listTransitions(id: string, query?: ListTransitionsQuery, options?: ReadOptions): Promise<TransitionList>;
    /** Reads what {@link listTransitions} does, page after page. */
    allTransitions(id: string, query?: ListTransitionsQuery, options?: ReadOptions): AsyncGenerator<Transition, void, undefined>;
    /** The accounts that an order was tried at: GET /v1/orders/{id}/attempts.
     * The oldest first; the last one is the order's present account. An order that names no account goes to the next one of your routing if an account proves that nothing was sent. It is one request, and you are notified once. */
    listAttempts(id: string, query?: ListAttemptsQuery, options?: ReadOptions): Promise<AttemptList>;
    /** Reads what {@link listAttempts} does, page after page. */
    allAttempts(id: string, query?: ListAttemptsQuery, options?: ReadOptions): AsyncGenerator<Attempt, void, undefined>;
    /** Ask the provider now: POST /v1/orders/{id}/refresh.
     * Seldom needed, unfinished orders are checked anyway. A final order is answered as it is, but for a transfer or payout whose money could still come back, and for a payment or payout that ended without money, which may have moved since. If the provider cannot be asked, the order is answered as it is. */
    refreshOrder(id: string, options?: CallOptions): Promise<Order>;
    /** All notifications as a feed, the oldest first: GET /v1/events.
     * For those who would rather pull, exactly as they were or will be sent. What was delivered more than 30 days ago (the operator may set another time) is rendered again: `rendered_again` is then true, and `order` is as it stands now. So is what was about an order that was erased since. Keep `last_cursor` and pass it as `cursor` next time: you get all that came later, and nothing is ever inserted before a place that you have read. After the database has lost what it had written, an operator sets the feed back: `rewound` is then true once, and notifications that you know may come again. Their `id` and `webhook-id` tell. */
    listNotifications(query?: ListNotificationsQuery, options?: ReadOptions): Promise<NotificationList>;
    /** Reads what {@link listNotifications} does, page after page. */
    allNotifications(query?: ListNotificationsQuery, options?: ReadOptions): AsyncGenerator<Notification, void, undefined>;
    /** Your own requests of the last days, the newest first: GET /v1/requests.
     * What you asked and how it ended, without bodies, for seven days unless the operator set another time. A request is listed a second or two after its answer; if very many come at once, some may be missing. Requests without a valid key belong to nobody and are not listed. 404 if the operator keeps no such log. */
    listRequests(query?: ListRequestsQuery, options?: ReadOptions): Promise<RequestList>;
    /** Reads what {@link listRequests} does, page after page. */
    allRequests(query?: ListRequestsQuery, options?: ReadOptions): AsyncGenerator<RequestLogEntry, void, undefined>;
    /** The provider accounts you may use, and what each can do: GET /v1/accounts.
     * Ordered by name. A call that an account has no capability for is refused with 422. An account that cannot be used at all is left out. */
    listAccounts(query?: ListAccountsQuery, options?: ReadOptions): Promise<AccountList>;
    /** Reads what {@link listAccounts} does, page after page. */
    allAccounts(query?: ListAccountsQuery, options?: ReadOptions): AsyncGenerator<Account, void, undefined>;
    /** What an account holds: GET /v1/accounts/{name}/balance.
     * For accounts with the capability `balance`. The provider is asked at once. */
    getBalance(name: string, options?: ReadOptions): Promise<Balance>;
    /** Open the provider's card form inside your page: POST /v1/accounts/{name}/card-frame.
     * For accounts with the capability `card_frame` (UAPAY). The customer types a card into the provider's own form, which your page embeds; neither
     * you nor payrelay ever sees the number. Your page gets the card's id, your server sends it here as `payment_method: {type: stored_card, card_id}`.
     * 1. When the customer wants to enter a card, ask for `url`, and show it at once: `<iframe src="{url}">`. The form has no button of its own.
     * 2. Your page's button calls `frame.contentWindow.postMessage("Submit", "*")`, with the frame's own window and no other.
     * 3. The form answers with a `message` event. Believe it only if `event.source` is the frame's window and `event.origin` is the origin of `url` or
     *    the provider's (`https://` and a host below `uapay.ua`: the form may be served from another of its hosts).
     *    `event.data` is `{name: "Success", payload}` or `{name: "Error", code}`. `payload` is base58 of the JSON `{id, cvv, panMasked}`; `id` is
     *    `card_id`, `cvv` is `cvc`, for this one payment, and is kept nowhere.
     * With `redirect: true`, for apps, there is no message: the form goes on to an address that ends in `/success?payload=…`, with the same payload.
     * An address is for one customer and one card. It is signed in your account's name: do not log, store, mail or reuse it; ask for a new one each
     * time. An `Idempotency-Key` does not replay it. docs/guides/saved-cards.md has a page that works. */
    createCardFrame(name: string, body: CardFrameRequest, options?: ReadOptions): Promise<CardFrame>;
    /** Ask for your orders in the provider's own list of transactions: POST /v1/statements.
     * The provider lists the transactions of a merchant key, which others may use, too. You get the rows that name an order of yours on this account, by
     * our id or the provider's, and no other.
     * It is made in the background: ask for it again until `state` is `ready`, or `failed`. */
    createTransactionReport(body: TransactionReportRequest, options?: CallOptions): Promise<TransactionReport>;
    /** How far a transaction report is: GET /v1/statements/{id}.
     * Its `state` tells how far it is. */
    getTransactionReport(id: string, options?: ReadOptions): Promise<TransactionReport>;
    /** The rows of a transaction report: GET /v1/statements/{id}/rows.
     * In the order of the provider's list, each with the order that it is about. */
    listTransactionReportRows(id: string, query?: ListTransactionReportRowsQuery, options?: ReadOptions): Promise<TransactionReportRowList>;
    /** Reads what {@link listTransactionReportRows} does, page after page. */
    allTransactionReportRows(id: string, query?: ListTransactionReportRowsQuery, options?: ReadOptions): AsyncGenerator<TransactionReportRow, void, undefined>;
    /** The rows of a transaction report as a spreadsheet: GET /v1/statements/{id}/file.
     * There is one once `state` is `ready`. */
    getTransactionReportFile(id: string, options?: ReadOptions): Promise<Uint8Array>;
}
