export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Your own id for the order, unique for each kind: printable ASCII without `|`. That of a payment or payout must not end with `~late`, nor with `~late` and a digit, nor with `~sub-` and 16 hexadecimal digits or `~due-` and two numbers; that of a refund must not be `dispute-ID-NUMBER`. */
        Reference: string;
        /**
         * Format: int64
         * @description Minor units, at most 2^53 − 1: the largest number that every JSON reader keeps exactly.
         */
        Amount: number;
        /**
         * @description ISO 4217, such as EUR; one that was withdrawn is refused for a new order.
         * @example EUR
         */
        Currency: string;
        Description: string;
        /**
         * @description E.164: `+`, the country code and the number, without spaces and without the `0` that is dialled within a country.
         * @example +442079460612
         */
        Phone: string;
        /** Format: uri */
        URL: string;
        /** @description Yours; it is never sent to the provider. Card numbers and codes are refused. */
        Metadata: {
            [key: string]: string;
        };
        /** @description Known values: `payment`, `refund`, `payout`, `payout_card`, `transfer`. */
        Kind: "payment" | "refund" | "payout" | "payout_card" | "transfer" | (string & {});
        /** @description Known values: `created`, `unknown`, `processing`, `requires_action`, `authorized`, `succeeded`, `failed`, `canceled`. Take one that you do not know for not final. */
        Status: "created" | "unknown" | "processing" | "requires_action" | "authorized" | "succeeded" | "failed" | "canceled" | (string & {});
        /** @description What is required depends on the provider; an answer of 422 lists everything that is missing. What the provider has no field for is kept in the order's `details`. */
        Customer: {
            first_name?: string;
            last_name?: string;
            middle_name?: string;
            /** @description The address alone, such as john@example.com. */
            email?: string;
            phone?: components["schemas"]["Phone"];
            ip?: string;
            birth_date?: string;
            address?: components["schemas"]["Address"];
        };
        Address: {
            line?: string;
            city?: string;
            postal_code?: string;
            /** @description ISO 3166-1 alpha-2, such as GB. */
            country?: string;
        };
        Card: {
            /** @description Digits with a valid check digit; spaces and hyphens are ignored. */
            number: string;
            exp_month?: number;
            /** @description A card is good until the last day of exp_month has ended everywhere on earth. One that has expired is refused before anything is sent. */
            exp_year?: number;
            cvc?: string;
            holder?: string;
        };
        PaymentMethodInput: {
            /** @enum {string} */
            type: "card" | "apple_pay" | "google_pay" | "stored_card" | "mobile";
            card?: components["schemas"]["Card"];
            /** @description Of a wallet, as it came. */
            token?: string;
            network?: string;
            card_id?: string;
            cvc?: string;
            phone?: components["schemas"]["Phone"];
        };
        /** @description For 3-D Secure, with a direct payment. What the provider has no field for is kept in the order's `details`. */
        Browser: {
            accept_header?: string;
            user_agent?: string;
            java_enabled?: boolean;
            javascript_enabled?: boolean;
            color_depth?: number;
            screen_height?: number;
            screen_width?: number;
            language?: string;
            time_zone_offset?: number;
        };
        /** @description Where the customer's browser goes afterwards. A return proves nothing about money. UAPAY knows one address; send it `status` alone. If you leave all of them out, your shop's defaults are used, as far as the provider has a field for them. */
        ReturnURLs: {
            success?: components["schemas"]["URL"];
            fail?: components["schemas"]["URL"];
            status?: components["schemas"]["URL"];
        };
        /** @description The earlier way to make a mandate, with `min_days: frequency_days`, the same `expires_at`, `max_amount` the payment's own amount, and any number of charges. UAPAY requires both `frequency_days` and `expires_at`. */
        Recurring: {
            enabled: boolean;
            frequency_days?: number;
            /** Format: date-time */
            expires_at?: string;
        };
        /** @description The customer agrees to be charged again, within these terms. payrelay holds them, whatever the provider knows of them. The mandate has the payment's id and is active once the payment has succeeded. Not beside `recurring`. */
        MandateRequest: {
            /**
             * Format: int64
             * @description The largest sum of one charge. The payment's own amount if you leave it out, and at least that at UAPAY, which charges the same each time.
             */
            max_amount?: number;
            /** @description Days between two payments, less one: a charge a day early is allowed. Any time with 1, or if you leave it out. With a schedule, one more than its period has at most. UAPAY requires it: it is the interval of its schedule. */
            min_days?: number;
            /**
             * Format: date-time
             * @description Nothing is charged from then on. UAPAY requires it.
             */
            expires_at?: string;
            /** @description Charges after the payment. Any number if you leave it out. Where the provider charges by its own schedule, that is ended when all have succeeded. */
            max_charges?: number;
            schedule?: components["schemas"]["MandateScheduleRequest"];
        };
        PaymentRequest: {
            reference: components["schemas"]["Reference"];
            amount: components["schemas"]["Amount"];
            currency: components["schemas"]["Currency"];
            /** @description A provider account. Without it the order goes to the first of your accounts for its currency, by the operators' routing rules or by `priority`, whose provider answers. An order whose account is named goes nowhere else. */
            account?: string;
            /**
             * @description Your shop's default if you leave it out, else `hosted`.
             * @enum {string}
             */
            flow?: "hosted" | "direct";
            /**
             * @description `automatic` if you leave it out.
             * @enum {string}
             */
            capture?: "automatic" | "manual";
            payment_method?: components["schemas"]["PaymentMethodInput"];
            customer?: components["schemas"]["Customer"];
            browser?: components["schemas"]["Browser"];
            description?: components["schemas"]["Description"];
            /**
             * Format: uri
             * @description Your shop's default if you leave it out.
             */
            site_url?: string;
            metadata?: components["schemas"]["Metadata"];
            return_urls?: components["schemas"]["ReturnURLs"];
            notification_url?: components["schemas"]["URL"];
            mandate?: components["schemas"]["MandateRequest"];
            recurring?: components["schemas"]["Recurring"];
            attempts?: components["schemas"]["Attempts"];
        };
        /** @description Whether the payment may go to another of your accounts in the same request. Both do nothing for an order whose `account` is named, so they are refused beside it. */
        Attempts: {
            /** @description Where an account proves that nothing was sent or done. `true` if you leave it out. */
            failover?: boolean;
            /**
             * @description Where a card is declined, for `flow: direct` with a card and `capture: automatic`. `provider`: after a decline for the provider's own trouble. `issuer`: also after one of the card's issuer, or because of a limit of the card. The provider must show first that the attempt is over. Never after a suspicion of fraud or too little money, and at most once for an order. Your shop's default if you leave it out, else `none`.
             * @enum {string}
             */
            cascade?: "none" | "provider" | "issuer";
        };
        CaptureRequest: {
            amount?: components["schemas"]["Amount"];
        };
        ConfirmRequest: {
            code: string;
        };
        RefundRequest: {
            reference: components["schemas"]["Reference"];
            /**
             * Format: int64
             * @description Minor units; without it all that is left goes back.
             */
            amount?: number;
            reason: string;
            metadata?: components["schemas"]["Metadata"];
            notification_url?: components["schemas"]["URL"];
            allow_duplicate?: components["schemas"]["AllowDuplicate"];
        };
        ChargeRequest: {
            reference: components["schemas"]["Reference"];
            amount: components["schemas"]["Amount"];
            description: string;
            /** @enum {string} */
            period?: "daily" | "weekly" | "monthly" | "quarterly" | "annually";
            metadata?: components["schemas"]["Metadata"];
            notification_url?: components["schemas"]["URL"];
        };
        PayoutMethodInput: {
            /** @enum {string} */
            type: "card" | "payout_card" | "phone" | "bank_account";
            card?: components["schemas"]["Card"];
            /** Format: uuid */
            payout_card_id?: string;
            phone?: components["schemas"]["Phone"];
            number?: string;
            holder?: string;
            iin?: string;
            bin?: string;
            kbe?: string;
            bank_code?: string;
            bank_name?: string;
            payment_purpose_code?: string;
            recipient_code?: string;
            sender_code?: string;
            recipient_rnn?: string;
            recipient_name?: string;
            /** @description For bank_account: which of the provider's own withdrawal providers is to carry it out, by the id that the provider gave you. Leave it out and the provider chooses. */
            withdrawal_provider_id?: string;
        };
        PayoutRequest: {
            reference: components["schemas"]["Reference"];
            amount: components["schemas"]["Amount"];
            currency?: components["schemas"]["Currency"];
            /** @description Leave it out, and send `currency`, to have the routing choose one of your accounts for payouts. A payout to a payout card goes to the account of that card. */
            account?: string;
            method: components["schemas"]["PayoutMethodInput"];
            customer?: components["schemas"]["Customer"];
            description?: components["schemas"]["Description"];
            /**
             * Format: uri
             * @description Your shop's default if you leave it out.
             */
            site_url?: string;
            metadata?: components["schemas"]["Metadata"];
            notification_url?: components["schemas"]["URL"];
            allow_duplicate?: components["schemas"]["AllowDuplicate"];
        };
        /** @description With `true`, this order is meant, although another looks like it: see `possible_duplicate`. */
        AllowDuplicate: boolean;
        PayoutCardRequest: {
            reference: components["schemas"]["Reference"];
            account: string;
            return_urls?: components["schemas"]["ReturnURLs"];
            metadata?: components["schemas"]["Metadata"];
            notification_url?: components["schemas"]["URL"];
        };
        /** @description Either a card that the provider keeps, or a card. */
        TransferEnd: {
            /** @description The provider's id of a card that it keeps. */
            card_id?: string;
            /** @description Of the sender's kept card, beside `card_id`. */
            cvc?: string;
            card?: components["schemas"]["Card"];
        };
        TransferRequest: {
            reference: components["schemas"]["Reference"];
            account: string;
            amount: components["schemas"]["Amount"];
            currency: components["schemas"]["Currency"];
            description?: components["schemas"]["Description"];
            from: components["schemas"]["TransferEnd"];
            to: components["schemas"]["TransferEnd"];
            customer?: components["schemas"]["Customer"];
            metadata?: components["schemas"]["Metadata"];
            notification_url?: components["schemas"]["URL"];
        };
        TransferImportRequest: {
            account: string;
            /** @description The provider's own id of the transfer. */
            provider_id?: string;
            /** @description The number on its receipt. */
            receipt_id?: string;
        };
        TransactionReportRequest: {
            account: string;
            /** @enum {string} */
            type: "payment" | "payout" | "refund";
            /** @enum {string} */
            status: "succeeded" | "processing" | "failed";
            /** Format: date-time */
            from: string;
            /** Format: date-time */
            to: string;
        };
        Order: {
            /** Format: uuid */
            id: string;
            /** @description Always `order`. */
            object: "order" | (string & {});
            kind: components["schemas"]["Kind"];
            reference: string;
            status: components["schemas"]["Status"];
            /** @description Why it is so, where the status alone does not say. */
            status_reason: string | null;
            /**
             * Format: int64
             * @description Minor units; null for a payout card.
             */
            amount: number | null;
            currency: string | null;
            /** Format: int64 */
            amount_authorized: number;
            /** Format: int64 */
            amount_captured: number;
            /**
             * Format: int64
             * @description What went back: refunds that succeeded, and what the provider says was given back without one, such as the money of a transfer or payout that came back.
             */
            amount_refunded: number;
            /**
             * Format: int64
             * @description What disputes took of the captured sum and refunds had left of it. It cannot be refunded. `GET /v1/disputes` has each whole.
             */
            amount_disputed: number;
            /** @description Known values: `automatic`, `manual`. */
            capture: "automatic" | "manual" | (string & {});
            /** @description Known values: `hosted`, `direct`. `null` where no customer takes part, and of what was imported. */
            flow: "hosted" | "direct" | (string & {}) | null;
            provider: string;
            account: string;
            /** @description The id that the provider was given. It is computed from the shop, the kind and the reference. */
            provider_order_id: string;
            /** @description The provider's own id. */
            provider_reference: string | null;
            next_action: components["schemas"]["NextAction"];
            payment_method: components["schemas"]["PaymentMethod"];
            failure: components["schemas"]["Failure"];
            /**
             * Format: uuid
             * @description The payment that a refund, a charge or late money belongs to, or the payout that late money belongs to: of a charge it is the mandate.
             */
            parent_id: string | null;
            /**
             * Format: uuid
             * @description What carries money that moved after this order had failed or was canceled: a new order, or of a refund a dispute of its payment. Do not charge, refund or pay out again.
             */
            superseded_by: string | null;
            /** @description `request`: somebody asked for it. `late_success`: the money moved after the payment or payout `parent_id`, or an attempt of it, had ended; its `reference` is that one's with `~late`, and with the number of the attempt. `provider_schedule`: the provider charged the mandate `parent_id` by its own schedule; its `reference` is that one's with `~sub-` and a hash of the provider's id. `schedule`: payrelay charged the mandate by its `schedule`; its `reference` is that one's with `~due-PERIOD-TRY`. `imported`: it was started elsewhere, and the provider was asked about it: a transfer, or the first payment of a mandate that an operator imported. Known values: `request`, `late_success`, `provider_schedule`, `schedule`, `imported`. */
            origin: "request" | "late_success" | "provider_schedule" | "schedule" | "imported" | (string & {});
            recurring: boolean;
            description: string | null;
            metadata: {
                [key: string]: string;
            };
            /** @description `customer`, `browser` and `site_url` as you sent them. They are kept, encrypted, also where the provider has no field for some of them. Only in the answer to a call about one order: never in a list or notification. */
            details: {
                [key: string]: unknown;
            } | null;
            /** @description The number of transitions so far. */
            sequence: number;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            /** Format: date-time */
            finalized_at: string | null;
            /** @description True once the operator has erased the order: its texts, its details and what the provider said are gone for good, and so are those of its events. Statuses, sums, references and times are as they were. */
            erased: boolean;
            /**
             * Format: date-time
             * @description When payrelay asks the provider next.
             */
            next_check_at: string | null;
        };
        /** @description `redirect`: send the browser to `url`. `post_form`: let the browser POST `fields` to `url`. `confirm_code`: ask for a code and send it to `/confirm`. */
        NextAction: {
            /** @description Known values: `redirect`, `post_form`, `confirm_code`. */
            type: "redirect" | "post_form" | "confirm_code" | (string & {});
            url?: string;
            /** @description Never in a notification: read the order. */
            fields?: {
                [key: string]: string;
            };
            attempts_left?: number;
        } | null;
        PaymentMethod: {
            /** @description Known values: `card`, `mobile`. */
            type: "card" | "mobile" | (string & {});
            /**
             * @description The first six and last four digits.
             * @example 401200******3010
             */
            masked: string | null;
            /** @example 401200 */
            bin: string | null;
            /**
             * @description The card scheme that the provider names, else the one that the number's range belongs to. Null where it is not certain. Of a co-badged card the scheme that works everywhere.
             * @example VISA
             */
            brand: string | null;
            /**
             * @description Where the card was issued, ISO 3166 alpha-3.
             * @example ESP
             */
            country: string | null;
        } | null;
        Failure: {
            /** @description Known values: `declined_by_issuer`, `insufficient_funds`, `fraud_suspected`, `authentication_failed`, `authentication_timeout`, `abandoned`, `limit_exceeded`, `invalid_request`, `duplicate_order`, `provider_unavailable`, `unknown`. */
            category: "declined_by_issuer" | "insufficient_funds" | "fraud_suspected" | "authentication_failed" | "authentication_timeout" | "abandoned" | "limit_exceeded" | "invalid_request" | "duplicate_order" | "provider_unavailable" | "unknown" | (string & {});
            /** @description The provider's own word. */
            code: string;
            message: string;
            /** @description Known values: `do_not_retry`, `customer_may_retry`, `retry_later`, `fix_request`, `contact_provider`. */
            advice: "do_not_retry" | "customer_may_retry" | "retry_later" | "fix_request" | "contact_provider" | (string & {});
            /** @description What each acquirer said, where the provider tried several. */
            cascade: components["schemas"]["CascadeStep"][];
        } | null;
        CascadeStep: {
            priority: number;
            /** @description The acquirer's own word. */
            code: string;
        };
        OrderList: {
            data: components["schemas"]["Order"][];
            next_cursor: string | null;
        };
        Mandate: {
            /**
             * Format: uuid
             * @description Also the id of the payment that made it.
             */
            id: string;
            /** @description Always `mandate`. */
            object: "mandate" | (string & {});
            /** @description Only an `active` one is charged. `pending`: its payment has not ended. `failed`: its payment took no money. `paused` also after its payment was given back or charged back whole. `revoking`: a provider that charges by its own schedule may still charge what it had planned, until `schedule_ends_at`. Known values: `pending`, `active`, `paused`, `revoking`, `revoked`, `expired`, `failed`. */
            status: "pending" | "active" | "paused" | "revoking" | "revoked" | "expired" | "failed" | (string & {});
            /** @description Of the payment that made it. */
            reference: string;
            provider: string;
            account: string;
            /** @description Who begins charges: `on_demand` you, `provider` the provider by its own schedule. Known values: `on_demand`, `provider`. */
            driver: "on_demand" | "provider" | (string & {});
            currency: string;
            /** Format: int64 */
            max_amount: number;
            min_days: number | null;
            /** Format: date-time */
            expires_at: string | null;
            max_charges: number | null;
            schedule: components["schemas"]["MandateSchedule"];
            /** @description Charges after the payment that took money. */
            charges: number;
            /**
             * Format: date-time
             * @description When the last of them did.
             */
            last_charged_at: string | null;
            /**
             * Format: date-time
             * @description From when on the terms allow the next charge; `null` while they allow none, and where the provider begins charges.
             */
            next_charge_from: string | null;
            /**
             * Format: uuid
             * @description A charge without a sure outcome. No other is begun beside it.
             */
            open_charge_id: string | null;
            /**
             * Format: date-time
             * @description When it was last paused, resumed or revoked.
             */
            decided_at: string | null;
            /**
             * Format: date-time
             * @description After a revoke where the provider begins charges: from then on none can come that it had planned. `null` while the provider has not confirmed that its schedule ends: revoke once more.
             */
            schedule_ends_at: string | null;
            /** Format: date-time */
            created_at: string;
        };
        /** @description When payrelay charges without a request of yours. Never if you leave it out. */
        MandateScheduleRequest: {
            /**
             * @description Periods are counted from the first payment's success, by UTC. A day that a month lacks is the month's last.
             * @enum {string}
             */
            every: "day" | "week" | "month";
            /** @description How many days, weeks or months a period has; 1 if you leave it out. */
            interval?: number;
            /**
             * Format: int64
             * @description The sum of each charge, `max_amount` at most. The first payment's amount if you leave it out.
             */
            amount?: number;
            /** @description When a charge that failed is tried again, in days after the first try of its period. Rising, and less than a period has at most: 1, 7 or 31 times `interval`. Never if you leave it out. */
            retry_days?: number[];
        };
        /** @description When payrelay charges without a request of yours; `null` for never. */
        MandateSchedule: {
            /** @description Known values: `day`, `week`, `month`. */
            every: "day" | "week" | "month" | (string & {});
            /** @description How many of them a period has. */
            interval: number;
            /**
             * Format: int64
             * @description The sum of each charge.
             */
            amount: number;
            /** @description When a charge that failed is tried again, in days after the first try of its period. */
            retry_days: number[];
        } | null;
        MandateList: {
            data: components["schemas"]["Mandate"][];
            next_cursor: string | null;
        };
        Transition: {
            sequence: number;
            from: string | null;
            to: components["schemas"]["Status"];
            /** @description Where it came from. Known values: `request` (yours), `answer` and `callback` (the provider's), `check` (payrelay asked), `operator`. */
            cause: "request" | "answer" | "callback" | "check" | "operator" | (string & {});
            /** @description What was said, field by field, masked. Empty once the order is erased. */
            evidence: {
                [key: string]: string;
            };
            /** Format: date-time */
            at: string;
            notification: components["schemas"]["TransitionNotification"];
        };
        /** @description Where the notification about this transition stands. `null` for the creation, which is not notified. */
        TransitionNotification: {
            /**
             * Format: uuid
             * @description The same as `webhook-id`.
             */
            id: string;
            /**
             * @description `pending`: waits for its turn or its next attempt. `delivered`: your shop answered 2xx. `held`: the address answered 410, and no operator has resumed yet. `dead_lettered`: given up on until an operator sends it again; later ones of the order wait behind it. `feed`: had no address to go to. `unrecorded`: no attempt is recorded that your shop took, and none is planned; read the order, or have an operator send it again. More values may come.
             * @example delivered
             */
            state: "pending" | "delivered" | "held" | "dead_lettered" | "feed" | "unrecorded" | (string & {});
            /** @description Where it goes or went. */
            url: string | null;
            attempts: number;
            last_attempt: components["schemas"]["DeliveryAttempt"];
            /**
             * Format: date-time
             * @description `null` if no attempt is planned.
             */
            next_attempt_at: string | null;
            /** Format: date-time */
            delivered_at: string | null;
        } | null;
        /** @description How the last attempt ended; `null` before the first. */
        DeliveryAttempt: {
            /** Format: date-time */
            at: string;
            /** @description `null` if there was no answer. */
            http_status: number | null;
            /**
             * @description `delivered`, or why not: `status` (not 2xx), `gone` (410), `redirect` (not followed), `bad_url`, `refused_address` (not public, or the port is not allowed), `https_required`, `dns`, `connect`, `tls`, `timeout`, `no_answer` (what came back was no HTTP), `interrupted` (by us), `bad_secret`. More values may come.
             * @example delivered
             */
            result: "delivered" | "status" | "gone" | "redirect" | "bad_url" | "refused_address" | "https_required" | "dns" | "connect" | "tls" | "timeout" | "no_answer" | "interrupted" | "bad_secret" | (string & {});
        } | null;
        Attempt: {
            number: number;
            provider: string;
            account: string;
            /** @description The order's name at the provider in this attempt. */
            provider_order_id: string;
            status: components["schemas"]["Status"];
            /** @description Why the order went elsewhere. `declined_by_provider` or `declined_by_issuer`: the payment was declined, and the provider showed that. Any other, such as `not_sent` or `credentials_refused`: nothing was done with the money. `null` for the last attempt. */
            reason: string | null;
            /** @description The provider's own code of the decline after which the order went elsewhere, else `null`. */
            failure_code: string | null;
            /**
             * Format: date-time
             * @description When the order went elsewhere. `null` for the last attempt.
             */
            ended_at: string | null;
        };
        AttemptList: {
            data: components["schemas"]["Attempt"][];
            next_cursor: string | null;
        };
        TransitionList: {
            data: components["schemas"]["Transition"][];
            next_cursor: string | null;
        };
        Notification: {
            /**
             * Format: uuid
             * @description The same as `webhook-id`; ignore what you have seen.
             */
            id: string;
            /**
             * @description The kind of the order, a dot, and its status, or `returned` when money that was sent came back; `payment.imported` for a payment that was paid before it was imported; for a step of a dispute `dispute`, a dot, and what it did. Known values:
             *     `payment.unknown`, `payment.processing`, `payment.requires_action`, `payment.authorized`, `payment.succeeded`, `payment.failed`,
             *     `payment.canceled`, `payment.late_success`, `payment.imported`, `refund.unknown`, `refund.processing`, `refund.succeeded`, `refund.failed`, `refund.canceled`, `refund.late_success`, `payout.unknown`,
             *     `payout.processing`, `payout.succeeded`, `payout.failed`, `payout.canceled`, `payout.late_success`, `payout.returned`, `payout_card.unknown`, `payout_card.processing`,
             *     `payout_card.requires_action`, `payout_card.succeeded`, `payout_card.failed`, `payout_card.canceled`, `transfer.unknown`,
             *     `transfer.processing`, `transfer.requires_action`, `transfer.succeeded`, `transfer.failed`, `transfer.canceled`, `transfer.returned`,
             *     `dispute.opened`, `dispute.updated`, `dispute.closed`.
             * @example payment.succeeded
             */
            type: "payment.unknown" | "payment.processing" | "payment.requires_action" | "payment.authorized" | "payment.succeeded" | "payment.failed" | "payment.canceled" | "payment.late_success" | "payment.imported" | "refund.unknown" | "refund.processing" | "refund.succeeded" | "refund.failed" | "refund.canceled" | "refund.late_success" | "payout.unknown" | "payout.processing" | "payout.succeeded" | "payout.failed" | "payout.canceled" | "payout.late_success" | "payout.returned" | "payout_card.unknown" | "payout_card.processing" | "payout_card.requires_action" | "payout_card.succeeded" | "payout_card.failed" | "payout_card.canceled" | "transfer.unknown" | "transfer.processing" | "transfer.requires_action" | "transfer.succeeded" | "transfer.failed" | "transfer.canceled" | "transfer.returned" | "dispute.opened" | "dispute.updated" | "dispute.closed" | (string & {});
            /** Format: date-time */
            created_at: string;
            /** @description The transition that it tells of. */
            sequence: number;
            order: components["schemas"]["Order"];
            /** @description Only with a type that begins with `dispute`. */
            dispute?: components["schemas"]["Dispute"];
            /** @description In the feed only, and only `true`: what was sent is removed because it is old. `order` and `dispute` are as they stand now, not as they were then; all else is as it was sent. */
            rendered_again?: boolean;
        };
        NotificationList: {
            data: components["schemas"]["Notification"][];
            /** @description `null` when you have caught up. */
            next_cursor: string | null;
            /** @description The place of the last notification that you were given. Keep it and pass it as `cursor` next time. */
            last_cursor: string | null;
            /** @description Your cursor was set back: it named a place that the database has lost. Some notifications come again, and none is skipped. */
            rewound: boolean;
        };
        RequestLogEntry: {
            /** Format: uuid */
            id: string;
            /**
             * Format: date-time
             * @description When the request came.
             */
            at: string;
            /** @description The `X-Request-Id` of its answer. */
            request_id: string;
            method: string;
            /** @description The pattern of its address, such as `/v1/payments/{id}/refunds`. */
            route: string;
            /** @description The HTTP status. 499 if you closed the connection before the answer. */
            status: number;
            /** @description The `code` of an error. */
            code: string | null;
            /** @description The id of the key. */
            key_id: string;
            /** @description Where it came from. */
            client_ip: string | null;
            /** Format: int64 */
            duration_ms: number;
            /**
             * Format: uuid
             * @description The order that it was about, if that is known.
             */
            order_id: string | null;
            /** @description The answer was an earlier one, under the same `Idempotency-Key`. */
            replayed: boolean;
        };
        RequestList: {
            data: components["schemas"]["RequestLogEntry"][];
            next_cursor: string | null;
        };
        /** @description `chargeback`, `second_chargeback`: the customer's bank took the money back. `reversal`: the provider gave all of it back. `external_refund`: a part was given back, and not by payrelay, or by a refund that had failed here. `late_success`: it was taken although the payment had ended without money. `duplicate_charge`: it was taken twice. `surplus_capture`: more was taken than was captured. `unauthorized_charge`: a provider charged by its own schedule what the mandate does not allow. `inquiry`: a bank asks what the payment was for; no money moved. More values may come. */
        DisputeKind: "chargeback" | "second_chargeback" | "reversal" | "external_refund" | "late_success" | "duplicate_charge" | "surplus_capture" | "unauthorized_charge" | "inquiry" | (string & {});
        /** @description `open`: known, nobody has done anything. `needs_response`: the bank waits for evidence until `due_at`. `under_review`: evidence was handed in. `refunding`: its money is being given back. The others are final. `won`: the money came back to you. `lost`, `expired`: it is gone. `accepted`: you take it as it is. `closed`: there is nothing to it, or the surplus was given back. Take one that you do not know for open. */
        DisputeStatus: "open" | "needs_response" | "under_review" | "refunding" | "won" | "lost" | "accepted" | "expired" | "closed" | (string & {});
        Dispute: {
            /** Format: uuid */
            id: string;
            /** @description Always `dispute`. */
            object: "dispute" | (string & {});
            /**
             * Format: uuid
             * @description The payment.
             */
            order_id: string;
            kind: components["schemas"]["DisputeKind"];
            status: components["schemas"]["DisputeStatus"];
            /**
             * Format: int64
             * @description All of it, whatever is left of the payment.
             */
            amount: number;
            currency: string;
            /**
             * Format: int64
             * @description How much of it was more than what was left of the payment when the dispute was opened: that went back twice.
             */
            overdrawn: number;
            /** @description What the provider or the card network calls the reason. */
            reason_code: string | null;
            /** @description The provider's number of the case. */
            provider_case: string | null;
            /**
             * Format: date-time
             * @description Until when somebody must answer.
             */
            due_at: string | null;
            /** @description The operators let you refund the payment although the dispute is open. */
            refunds_allowed: boolean;
            /** @description On which road it was opened. Known values: `answer`, `callback`, `check`, `operator`. */
            source: "answer" | "callback" | "check" | "operator" | (string & {});
            /** @description The number of steps so far. */
            sequence: number;
            /** Format: date-time */
            opened_at: string;
            /** Format: date-time */
            updated_at: string;
            /** Format: date-time */
            closed_at: string | null;
            /**
             * Format: uuid
             * @description The refund of yours that had failed, and that the provider carried out after all.
             */
            refund_id: string | null;
        };
        DisputeList: {
            data: components["schemas"]["Dispute"][];
            next_cursor: string | null;
        };
        DisputeResolution: {
            /**
             * @description `accept`: take it as it is. `refund`: give it back, for a `late_success` or `unauthorized_charge`.
             * @enum {string}
             */
            action: "accept" | "refund";
        };
        Account: {
            name: string;
            provider: string;
            currency: string;
            /** @description What orders it takes. Known values: `any`, `payments`, `payouts`. */
            for: "any" | "payments" | "payouts" | (string & {});
            /** @description `enabled`: it takes new orders. `drain`: captures, cancels and refunds only. `off`, `closed`: nothing, but its orders can be read. */
            mode: "enabled" | "drain" | "off" | "closed" | (string & {});
            /** @description Its place among your accounts when a payment names none, the least first. `null`: only requests that name it reach it. */
            priority: number | null;
            /** @description What this account can do beyond starting a payment. A call that needs another one is answered with 422 `not_supported_by_provider`. */
            capabilities: ("balance" | "bank_payout" | "cancel" | "capture" | "card_frame" | "card_number" | "confirm_code" | "partial_capture" | "payout" | "payout_card" | "recurring" | "refund" | "statement" | "transfer" | "transfer_import" | (string & {}))[];
            /** @description What its provider can do and this account does not. */
            capabilities_off: components["schemas"]["CapabilityOff"][];
            /** @description The bounds of one order here that are enforced: a payment beyond them goes to your next account, or is refused with `limit_exceeded`. Other limits are told when they are met. */
            limits: components["schemas"]["AccountLimit"][];
        };
        CapabilityOff: {
            /** @description A word of `capabilities`. */
            capability: string;
            /** @description For people: a setting of the account, what it is for, or its contract. */
            reason: string;
        };
        AccountLimit: {
            kind: components["schemas"]["Kind"];
            /** @description `order`: the largest sum of one. `minimum`: the smallest. */
            rule: "order" | "minimum" | (string & {});
            currency: string;
            /**
             * Format: int64
             * @description In minor units.
             */
            amount: number;
        };
        AccountList: {
            data: components["schemas"]["Account"][];
            next_cursor: string | null;
        };
        PaymentPreview: {
            /** @description The account that would take the payment. */
            account: string;
            provider: string;
            /** @description The routing rule that chose it, `null` where none did. */
            rule: string | null;
            /** @description Your accounts, in the order in which they would be tried, and then the others. */
            candidates: components["schemas"]["PreviewCandidate"][];
        };
        PreviewCandidate: {
            account: string;
            provider: string;
            /**
             * @description Why the payment would not go there, `null` if it may. Known values: `circuit_open` (its host fails again and again), `currency`, `disabled`,
             *     `draining` (it begins nothing new), `frozen` (it was changed past payrelay), `incomplete` (its provider needs more than the request has),
             *     `limit` (a limit of the account refuses it now), `not_routed` (the routing does not lead there), `purpose` (it is for other orders),
             *     `unhealthy` (too many of its calls fail, so it comes last), `unusable` (only the operators can mend it).
             */
            reason: "circuit_open" | "currency" | "disabled" | "draining" | "frozen" | "incomplete" | "limit" | "not_routed" | "purpose" | "unhealthy" | "unusable" | (string & {}) | null;
        };
        CardFrameRequest: {
            /**
             * @description `payments`: money is taken from the card, by a payment or a transfer's `from`. `payouts`: money goes to it, as a transfer's `to`; the form asks for no expiry.
             * @enum {string}
             */
            for: "payments" | "payouts";
            /** @description Answer by a redirect instead of a message. */
            redirect?: boolean;
        };
        CardFrame: {
            /** @description For one customer, inside a frame. Do not log or store it. */
            url: string;
            /**
             * Format: date-time
             * @description Until when it can be opened. `null`: the provider does not say; open it at once.
             */
            expires_at: string | null;
        };
        Balance: {
            /** Format: int64 */
            balance: number;
            /** Format: int64 */
            hold_balance: number;
            /** Format: int64 */
            rolling_balance: number;
            currency: string;
        };
        TransactionReport: {
            /** Format: uuid */
            id: string;
            /** @description Always `statement`. */
            object: "statement" | (string & {});
            account: string;
            /** @description Known values: `payment`, `payout`, `refund`. */
            type: "payment" | "payout" | "refund" | (string & {});
            /** @description Known values: `succeeded`, `processing`, `failed`. */
            status: "succeeded" | "processing" | "failed" | (string & {});
            /** Format: date-time */
            from: string;
            /** Format: date-time */
            to: string;
            /** @description Known values: `created`, `processing`, `ready`, `failed`. */
            state: "created" | "processing" | "ready" | "failed" | (string & {});
            failure: string | null;
            /** @description How many rows there are of your orders, once `ready`. */
            rows: number;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
        };
        TransactionReportRowList: {
            data: components["schemas"]["TransactionReportRow"][];
            next_cursor: string | null;
        };
        TransactionReportRow: {
            /**
             * Format: uuid
             * @description The order that the row is about.
             */
            order_id: string;
            /** @description Yours, of the order. */
            reference: string;
            /** @description What the provider says, by its own column names. Card numbers are masked. */
            fields: {
                [key: string]: string;
            };
        };
        Problem: {
            /**
             * Format: uri-reference
             * @description `/docs/errors#` and the code: there it is explained.
             * @example /docs/errors#invalid_request
             */
            type: string;
            title: string;
            status: number;
            /** @description What was wrong and what to do. */
            detail: string;
            instance: string;
            /**
             * @description For programs; none ever changes its meaning. Known values:
             *     `malformed_json`, `unauthorized`, `forbidden`, `disabled`, `shop_frozen`, `account_frozen`, `not_found`, `method_not_allowed`, `request_timeout`, `reference_conflict`, `invalid_state`, `order_frozen`,
             *     `refund_exceeds_captured`, `refund_in_progress`, `payment_disputed`, `mandate_not_active`, `mandate_expired`, `mandate_limit`, `mandate_too_soon`, `mandate_charge_open`, `possible_duplicate`, `approval_pending`, `approval_rejected`, `idempotency_in_progress`, `body_too_large`, `unsupported_media_type`, `card_number_in_text`, `invalid_request`, `missing_fields`,
             *     `unknown_account`, `no_route`, `currency_not_supported`, `not_supported_by_provider`, `amount_exceeds_authorized`, `limit_exceeded`, `wrong_code`,
             *     `idempotency_mismatch`, `rate_limited`, `velocity_exceeded`, `card_payments_paused`, `caller_left`, `internal_error`, `provider_unavailable`, `service_unavailable`.
             */
            code: "malformed_json" | "unauthorized" | "forbidden" | "disabled" | "shop_frozen" | "account_frozen" | "not_found" | "method_not_allowed" | "request_timeout" | "reference_conflict" | "invalid_state" | "order_frozen" | "refund_exceeds_captured" | "refund_in_progress" | "payment_disputed" | "mandate_not_active" | "mandate_expired" | "mandate_limit" | "mandate_too_soon" | "mandate_charge_open" | "possible_duplicate" | "approval_pending" | "approval_rejected" | "idempotency_in_progress" | "body_too_large" | "unsupported_media_type" | "card_number_in_text" | "invalid_request" | "missing_fields" | "unknown_account" | "no_route" | "currency_not_supported" | "not_supported_by_provider" | "amount_exceeds_authorized" | "limit_exceeded" | "wrong_code" | "idempotency_mismatch" | "rate_limited" | "velocity_exceeded" | "card_payments_paused" | "caller_left" | "internal_error" | "provider_unavailable" | "service_unavailable" | (string & {});
            request_id: string;
            /** @description Every field that was wrong. */
            errors?: components["schemas"]["FieldProblem"][];
            limit?: components["schemas"]["LimitProblem"];
            /**
             * Format: uuid
             * @description With `possible_duplicate`: the order that asked for the same.
             */
            duplicate_of?: string;
            approval?: components["schemas"]["ApprovalProblem"];
        };
        /** @description With `approval_pending` and `approval_rejected`: what the payout waits for. */
        ApprovalProblem: {
            /**
             * Format: uuid
             * @description What the operators know it by.
             */
            id: string;
            /** @description Known values: `waiting`, `released`, `rejected`. */
            state: "waiting" | "released" | "rejected" | (string & {});
            /**
             * Format: date-time
             * @description From then on the same request is asked about anew.
             */
            expires_at: string;
        };
        /** @description With `limit_exceeded`: the limit that the order goes beyond. Of several, the one that has room last. */
        LimitProblem: {
            /** @description Whose orders are counted: `global`, `shop`, `account`, `key`. */
            scope: "global" | "shop" | "account" | "key" | (string & {});
            /** @description What is bounded: the largest sum of one `order`, its smallest, `minimum`, or those begun in the last `hour`, or in the last 24 hours, `day`. */
            rule: "order" | "minimum" | "hour" | "day" | (string & {});
            currency: string | null;
            /**
             * Format: int64
             * @description The largest sum in minor units, with `minimum` the smallest; null if there is none.
             */
            amount: number | null;
            /**
             * Format: int64
             * @description The largest number of orders; null if there is none.
             */
            orders: number | null;
            /**
             * Format: int64
             * @description Used without this order; null for a limit that others share, and for one order.
             */
            used_amount: number | null;
            /** Format: int64 */
            used_orders: number | null;
            /**
             * Format: date-time
             * @description When there is room for this order, as things are now; null if there never is.
             */
            free_at: string | null;
        };
        FieldProblem: {
            /** @description Its dotted path, such as `customer.email`. */
            field: string;
            message: string;
        };
        ListMandatesQuery: {
            /** @description How many at most; 50 if you leave it out. */
            limit?: number;
            /** @description `next_cursor` of the page before. */
            cursor?: string;
        };
        ListDisputesQuery: {
            /** @description How many at most; 50 if you leave it out. */
            limit?: number;
            /** @description `next_cursor` of the page before. */
            cursor?: string;
            /**
             * Format: uuid
             * @description Of one payment only.
             */
            order_id?: string;
            /**
             * @description Of one kind only.
             * @enum {string}
             */
            kind?: "chargeback" | "second_chargeback" | "reversal" | "external_refund" | "late_success" | "duplicate_charge" | "surplus_capture" | "unauthorized_charge" | "inquiry";
            /**
             * @description In one status only.
             * @enum {string}
             */
            status?: "open" | "needs_response" | "under_review" | "refunding" | "won" | "lost" | "accepted" | "expired" | "closed";
        };
        ListOrdersQuery: {
            /** @enum {string} */
            kind?: "payment" | "refund" | "payout" | "payout_card" | "transfer";
            /** @enum {string} */
            status?: "created" | "unknown" | "processing" | "requires_action" | "authorized" | "succeeded" | "failed" | "canceled";
            reference?: string;
            account?: string;
            /** @description Our id of the order at its provider. */
            provider_order_id?: string;
            /** @description The provider's own id of the order. */
            provider_reference?: string;
            /** Format: uuid */
            parent_id?: string;
            /**
             * Format: date-time
             * @description Inclusive. Write the `+` of a zone as `%2B`.
             */
            created_from?: string;
            /**
             * Format: date-time
             * @description Exclusive, and not before `created_from`.
             */
            created_to?: string;
            /** @description How many at most; 50 if you leave it out. */
            limit?: number;
            /** @description `next_cursor` of the page before. */
            cursor?: string;
        };
        ListTransitionsQuery: {
            /** @description How many at most; 50 if you leave it out. */
            limit?: number;
            /** @description `next_cursor` of the page before. */
            cursor?: string;
        };
        ListAttemptsQuery: {
            /** @description How many at most; 50 if you leave it out. */
            limit?: number;
            /** @description `next_cursor` of the page before. */
            cursor?: string;
        };
        ListNotificationsQuery: {
            /** @description How many at most; 50 if you leave it out. */
            limit?: number;
            /** @description `next_cursor` of the page before. */
            cursor?: string;
            /** @description Another name of `cursor`. */
            after?: string;
            /**
             * Format: date-time
             * @description Where to begin, for a first page: at what was written then or later. A little of the minute before comes too. Go on with `last_cursor`. Write the `+` of a zone as `%2B`.
             */
            since?: string;
        };
        ListRequestsQuery: {
            /** @description How many at most; 50 if you leave it out. */
            limit?: number;
            /** @description `next_cursor` of the page before. */
            cursor?: string;
            /**
             * @description Of one class of HTTP statuses only.
             * @enum {string}
             */
            status?: "2xx" | "3xx" | "4xx" | "5xx";
            /**
             * Format: uuid
             * @description About one order only.
             */
            order_id?: string;
        };
        ListAccountsQuery: {
            /** @description How many at most; 50 if you leave it out. */
            limit?: number;
            /** @description `next_cursor` of the page before. */
            cursor?: string;
        };
        ListTransactionReportRowsQuery: {
            /** @description How many at most; 50 if you leave it out. */
            limit?: number;
            /** @description `next_cursor` of the page before. */
            cursor?: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type Reference = components['schemas']['Reference'];
export type Amount = components['schemas']['Amount'];
export type Currency = components['schemas']['Currency'];
export type Description = components['schemas']['Description'];
export type Phone = components['schemas']['Phone'];
export type Url = components['schemas']['URL'];
export type Metadata = components['schemas']['Metadata'];
export type Kind = components['schemas']['Kind'];
export type Status = components['schemas']['Status'];
export type Customer = components['schemas']['Customer'];
export type Address = components['schemas']['Address'];
export type Card = components['schemas']['Card'];
export type PaymentMethodInput = components['schemas']['PaymentMethodInput'];
export type Browser = components['schemas']['Browser'];
export type ReturnUrLs = components['schemas']['ReturnURLs'];
export type Recurring = components['schemas']['Recurring'];
export type MandateRequest = components['schemas']['MandateRequest'];
export type PaymentRequest = components['schemas']['PaymentRequest'];
export type Attempts = components['schemas']['Attempts'];
export type CaptureRequest = components['schemas']['CaptureRequest'];
export type ConfirmRequest = components['schemas']['ConfirmRequest'];
export type RefundRequest = components['schemas']['RefundRequest'];
export type ChargeRequest = components['schemas']['ChargeRequest'];
export type PayoutMethodInput = components['schemas']['PayoutMethodInput'];
export type PayoutRequest = components['schemas']['PayoutRequest'];
export type AllowDuplicate = components['schemas']['AllowDuplicate'];
export type PayoutCardRequest = components['schemas']['PayoutCardRequest'];
export type TransferEnd = components['schemas']['TransferEnd'];
export type TransferRequest = components['schemas']['TransferRequest'];
export type TransferImportRequest = components['schemas']['TransferImportRequest'];
export type TransactionReportRequest = components['schemas']['TransactionReportRequest'];
export type Order = components['schemas']['Order'];
export type NextAction = components['schemas']['NextAction'];
export type PaymentMethod = components['schemas']['PaymentMethod'];
export type Failure = components['schemas']['Failure'];
export type CascadeStep = components['schemas']['CascadeStep'];
export type OrderList = components['schemas']['OrderList'];
export type Mandate = components['schemas']['Mandate'];
export type MandateScheduleRequest = components['schemas']['MandateScheduleRequest'];
export type MandateSchedule = components['schemas']['MandateSchedule'];
export type MandateList = components['schemas']['MandateList'];
export type Transition = components['schemas']['Transition'];
export type TransitionNotification = components['schemas']['TransitionNotification'];
export type DeliveryAttempt = components['schemas']['DeliveryAttempt'];
export type Attempt = components['schemas']['Attempt'];
export type AttemptList = components['schemas']['AttemptList'];
export type TransitionList = components['schemas']['TransitionList'];
export type Notification = components['schemas']['Notification'];
export type NotificationList = components['schemas']['NotificationList'];
export type RequestLogEntry = components['schemas']['RequestLogEntry'];
export type RequestList = components['schemas']['RequestList'];
export type DisputeKind = components['schemas']['DisputeKind'];
export type DisputeStatus = components['schemas']['DisputeStatus'];
export type Dispute = components['schemas']['Dispute'];
export type DisputeList = components['schemas']['DisputeList'];
export type DisputeResolution = components['schemas']['DisputeResolution'];
export type Account = components['schemas']['Account'];
export type CapabilityOff = components['schemas']['CapabilityOff'];
export type AccountLimit = components['schemas']['AccountLimit'];
export type AccountList = components['schemas']['AccountList'];
export type PaymentPreview = components['schemas']['PaymentPreview'];
export type PreviewCandidate = components['schemas']['PreviewCandidate'];
export type CardFrameRequest = components['schemas']['CardFrameRequest'];
export type CardFrame = components['schemas']['CardFrame'];
export type Balance = components['schemas']['Balance'];
export type TransactionReport = components['schemas']['TransactionReport'];
export type TransactionReportRowList = components['schemas']['TransactionReportRowList'];
export type TransactionReportRow = components['schemas']['TransactionReportRow'];
export type Problem = components['schemas']['Problem'];
export type ApprovalProblem = components['schemas']['ApprovalProblem'];
export type LimitProblem = components['schemas']['LimitProblem'];
export type FieldProblem = components['schemas']['FieldProblem'];
export type ListMandatesQuery = components['schemas']['ListMandatesQuery'];
export type ListDisputesQuery = components['schemas']['ListDisputesQuery'];
export type ListOrdersQuery = components['schemas']['ListOrdersQuery'];
export type ListTransitionsQuery = components['schemas']['ListTransitionsQuery'];
export type ListAttemptsQuery = components['schemas']['ListAttemptsQuery'];
export type ListNotificationsQuery = components['schemas']['ListNotificationsQuery'];
export type ListRequestsQuery = components['schemas']['ListRequestsQuery'];
export type ListAccountsQuery = components['schemas']['ListAccountsQuery'];
export type ListTransactionReportRowsQuery = components['schemas']['ListTransactionReportRowsQuery'];
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
