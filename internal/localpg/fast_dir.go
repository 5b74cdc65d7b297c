package localpg

import (
	"os"
	"syscall"
)

// memoryDir is a folder in memory on Linux. memoryWanted is what the servers of a whole run of the tests may fill there.
const (
	memoryDir    = "/dev/shm"
	memoryWanted = 2 << 30
)

// FastDir is where servers go that start with Options.Fast and hold nothing worth keeping: a folder in memory if it has the room and
// TMPDIR names no other place, else the one for temporary files. A database of payrelay is 580 files, and ext4 is slow to make files
// where many were removed a moment ago: in memory one costs a seventh.
func FastDir() string { return roomiest(memoryDir) }

func roomiest(memory string) string {
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memory, &fs) != nil || uint64(fs.Bavail)*uint64(fs.Bsize) < memoryWanted { //nolint:gosec,unconvert // a size is never negative, and its type differs between systems
		return os.TempDir()
	}
	return memory
}
