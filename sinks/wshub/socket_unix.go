//go:build unix

package wshub

import (
	"net"
	"syscall"
)

// socketOf returns the socket behind a connection that can be written to
// without waiting, or nil. Only the types of package net will do: one that wraps
// them, as TLS does, has a Write of its own that must not be passed by.
func socketOf(conn net.Conn) syscall.RawConn {
	var s syscall.Conn
	switch c := conn.(type) {
	case *net.TCPConn:
		s = c
	case *net.UnixConn:
		s = c
	default:
		return nil
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return nil
	}
	return raw
}

// attempt is a write to a socket. It can be used again, by one goroutine.
type attempt struct {
	p    []byte
	wait bool
	n    int
	err  error
	do   func(fd uintptr) bool
}

func newAttempt() *attempt {
	a := &attempt{}
	a.do = a.write
	return a
}

// try writes as much of p as the socket takes at once, which may be nothing.
func (a *attempt) try(socket syscall.RawConn, p []byte) (int, error) {
	return a.run(socket, p, false)
}

// await waits until the socket takes at least a part of p, or until the write
// deadline.
func (a *attempt) await(socket syscall.RawConn, p []byte) (int, error) {
	return a.run(socket, p, true)
}

func (a *attempt) run(socket syscall.RawConn, p []byte, wait bool) (int, error) {
	a.p, a.wait, a.n, a.err = p, wait, 0, nil
	err := socket.Write(a.do)
	a.p = nil
	if err == nil {
		err = a.err
	}
	return a.n, err
}

// write is called with the socket, which package net has made non-blocking. It
// is called again once the socket is writable if it returns false.
func (a *attempt) write(fd uintptr) bool {
	for {
		n, err := writeNow(fd, a.p)
		switch err {
		case nil:
			a.n = n
			return true
		case syscall.EINTR:
		case syscall.EAGAIN:
			return !a.wait
		default:
			a.err = err
			return true
		}
	}
}
