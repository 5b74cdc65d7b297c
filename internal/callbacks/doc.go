// Package callbacks is the door for providers: the raw body in, the verified notification on to payment, an
// acknowledgement out. It answers 200 only after the callback is durable, and its log line and metrics hold no token,
// no body and no reason that could quote one.
package callbacks
