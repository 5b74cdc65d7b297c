package app

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// version, commit and date are set by the linker when a release is built: the tag, and the commit with its date.
var version, commit, date string

// build says what was built: which version, of which commit and when that was made.
type build struct{ Version, Commit, Date, Go string }

// thisBuild describes the running program.
func thisBuild() build {
	info, _ := debug.ReadBuildInfo()
	return build{Version: version, Commit: commit, Date: date, Go: runtime.Version()}.filled(info)
}

// filled returns b with what the go command wrote into the program where the linker was told nothing. A part that nobody
// knows is "dev" or "unknown".
func (b build) filled(info *debug.BuildInfo) build {
	if info == nil {
		info = &debug.BuildInfo{}
	}
	vcs := map[string]string{}
	for _, s := range info.Settings {
		vcs[s.Key] = s.Value
	}
	if b.Version == "" && info.Main.Version != "(devel)" {
		b.Version = info.Main.Version
	}
	if b.Commit == "" && vcs["vcs.revision"] != "" {
		b.Commit = vcs["vcs.revision"][:min(12, len(vcs["vcs.revision"]))]
		if vcs["vcs.modified"] == "true" {
			b.Commit += "-dirty"
		}
	}
	if b.Date == "" {
		b.Date = vcs["vcs.time"]
	}
	for part, fallback := range map[*string]string{&b.Version: "dev", &b.Commit: "unknown", &b.Date: "unknown"} {
		if *part == "" {
			*part = fallback
		}
	}
	return b
}

// String is what `server version` prints.
func (b build) String() string {
	return "payrelay " + b.Version + " (commit " + b.Commit + ", " + b.Date + ", " + b.Go + ")"
}

// MarshalZerologObject implements zerolog.LogObjectMarshaler. The version is on every line of the service already.
func (b build) MarshalZerologObject(e *zerolog.Event) {
	e.Str("commit", b.Commit).Str("date", b.Date)
}

// collector is the metric that says which build runs.
func (b build) collector() prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "payrelay_build_info", Help: "1, with the version, commit, date and Go version of the running program.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "date": b.Date, "go_version": b.Go},
	})
	info.Set(1)
	return info
}
