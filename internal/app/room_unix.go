//go:build linux || darwin

package app

import "syscall"

// roomOf returns what the file system of a folder has, if this process reaches the folder.
func roomOf(folder string) (room, bool) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil || s.Blocks == 0 {
		return room{}, false
	}
	block := uint64(s.Bsize) //nolint:gosec // a size
	return room{free: s.Bavail * block, all: (s.Blocks - s.Bfree + s.Bavail) * block, system: s.Fsid}, true
}
