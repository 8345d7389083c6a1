package tweetstream

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tweetstream-go/tweetstream/internal/folder"
)

// checkpointFile is the content of the file of WithCheckpoint.
type checkpointFile struct {
	Version int    `json:"version"`
	State   []byte `json:"state"` // the source's own bytes
}

const checkpointVersion = 1

// readCheckpoint returns the state in the file at path; nil if there is none.
func readCheckpoint(path string) ([]byte, error) {
	if err := refuseSymlink(path); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, checkFolder(path)
	}
	if err != nil {
		return nil, err
	}
	var f checkpointFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("%s is no checkpoint; move it away to begin at now", path)
	}
	if f.Version != checkpointVersion {
		return nil, fmt.Errorf("%s has version %d, this program reads %d", path, f.Version, checkpointVersion)
	}
	return f.State, nil
}

// checkFolder finds out at start that the checkpoint can be written later.
func checkFolder(path string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".checkpoint-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// writeCheckpoint puts state into the file at path, so that whatever happens
// there is either the old one or the new.
func writeCheckpoint(path string, state []byte) (err error) {
	if err := refuseSymlink(path); err != nil {
		return err
	}
	data, err := json.Marshal(checkpointFile{checkpointVersion, state})
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".checkpoint-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return folder.Sync(filepath.Dir(path)) // once the folder lasts, the rename does
}

func refuseSymlink(path string) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return fmt.Errorf("%s is a symbolic link, which is refused", path)
	}
	return nil
}
