package app

// version is set by the linker when a release is built.
var version = "dev"
