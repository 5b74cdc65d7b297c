// Package limit bounds how much is done at once: by everybody together, and by each key, so that one cannot crowd out the
// others. Requests, status polls, notifications and report files all take their slots here.
//
// Rates bound how often something is done, by each key: they are counted in the memory of this process.
//
// A slot is taken before work begins and given back when it ends. The package knows nothing of what the work is.
package limit
