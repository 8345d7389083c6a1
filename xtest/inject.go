package xtest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Faults injects the script (see [Server.Inject]) with the first request that the
// server gets, or its handshake, from which its times count.
func Faults(script string) Option {
	return func(c *config) { c.script = script }
}

// Inject lets go wrong what the script says: faults with spaces or line breaks in
// between, each [AT:]NAME[=ARG][@ENDPOINT][xN]. AT is how long from now, such as
// 90s; without it the fault happens before Inject returns. The package comment
// lists the faults. A script that is wrong is refused as a whole, by an error that
// names the fault. Several scripts may run at once.
func (s *Server) Inject(script string) error {
	faults, err := parseFaults(script)
	if err == nil {
		err = s.cfg.checkTLS(faults)
	}
	if err != nil {
		return fmt.Errorf("xtest: %w", err)
	}
	s.inject(faults)
	return nil
}

func (s *Server) inject(faults []fault) {
	for len(faults) > 0 && faults[0].at <= 0 {
		faults[0].do(s, faults[0])
		faults = faults[1:]
	}
	if len(faults) == 0 || !s.enter() {
		return
	}
	begin := time.Now()
	go func() {
		defer s.running.Done()
		for _, f := range faults {
			timer := time.NewTimer(time.Until(begin.Add(f.at)))
			select {
			case <-timer.C:
				f.do(s, f)
			case <-s.done:
				timer.Stop()
				return
			}
		}
	}()
}

// fail is Fail for the path, or for the streams if that is empty.
func (s *Server) fail(path string, n int, resp Response) {
	if path != "" {
		s.Fail(path, n, resp)
		return
	}
	s.Fail(streamPath, n, resp)
	s.Fail(samplePath, n, resp)
}

// faultsPath is not X's: there a script can be posted while the server runs.
const faultsPath = "/_faults"

const maxScript = 1 << 20

// serveFaults injects a script that was posted. Only this machine may do that, and
// no page in a browser on it.
func (s *Server) serveFaults(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	inMemory := r.RemoteAddr == "pipe" // as net.Pipe has it
	site := r.Header.Get("Sec-Fetch-Site")
	switch {
	case !isLoopback(host), !inMemory && (err != nil || !isLoopback(from)):
		http.Error(w, "faults are injected from this machine only, by its loopback address", http.StatusForbidden)
		return
	case r.Header.Get("Origin") != "" || site != "" && site != "none":
		http.Error(w, "a page in a browser injects no faults", http.StatusForbidden)
		return
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "want a POST of a script, such as: 2s:reset 5s:stall=30s 9s:503x3", http.StatusMethodNotAllowed)
		return
	}
	http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTime))
	script, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxScript))
	if err != nil {
		http.Error(w, "the script can't be read", http.StatusBadRequest)
		return
	}
	if err := s.Inject(string(script)); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
