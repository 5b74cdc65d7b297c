// Package sandbox serves stateful simulators of the payment providers on one
// listener, for development on a laptop and for tests. A simulator keeps orders,
// shows the pages a customer would see, sends signed callbacks and can be made to
// misbehave in every way a real provider might.
//
// Nothing here may be reachable from production: the simulators have known
// credentials and an open control API. Shared parts live in the subpackages
// callback, control, fault, locale, page, record, schedule and testcard; each provider has
// a package of its own, written from the provider's page in docs/providers and not from our adapter;
// simulatortest holds what their tests share.
package sandbox
