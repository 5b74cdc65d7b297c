//go:build !production

package app

// workshop is the commands of development. A production build has none of them, nor what they link: the simulators, the
// demo shop, and a Postgres of one's own.
type workshop struct {
	Dev       devCmd       `cmd:"" help:"Everything on this machine: Postgres, the provider simulator, a demo shop and the service. For trying out and for development."`
	Trigger   triggerCmd   `cmd:"" help:"Make an event happen for real at a running 'server dev', and wait for its notification."`
	Sandbox   sandboxCmd   `cmd:"" help:"The provider simulators alone."`
	Clock     clockCmd     `cmd:"" help:"The clock of 'dev', which a developer moves."`
	Scenarios scenariosCmd `cmd:"" help:"Runs many scenarios of a shop against a service of its own, and compares what everybody wrote down."`
}
