//go:build !unix

package wshub

import (
	"errors"
	"net"
	"syscall"
)

// socketOf returns nil: here a goroutine for each viewer writes to it.
func socketOf(net.Conn) syscall.RawConn { return nil }

type attempt struct{}

func newAttempt() *attempt { return nil }

func (*attempt) try(syscall.RawConn, []byte) (int, error)   { return 0, errors.ErrUnsupported }
func (*attempt) await(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }
