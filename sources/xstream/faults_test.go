package xstream_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tweetstream-go/tweetstream/sources/xstream"
	"github.com/tweetstream-go/tweetstream/xtest"
)

// X has sent Posts half a minute after they were made, and later. What was on its
// way when a connection ended comes by search.
func TestALaggingDeliveryLosesNothing(t *testing.T) {
	for _, lag := range []string{"10s", "45s", "3m"} {
		t.Run(lag, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, opts := server(t, xtest.Rate(1))
				defer x.Close()
				s := start(t, nil, xstream.Token("secret"), append(opts, originals)...)
				inject(t, x, "lag="+lag)
				after(5 * time.Minute)
				want, _ := time.ParseDuration(lag)
				if got := s.Stats().Lag; got < want-2*time.Second || got > want+2*time.Second {
					t.Errorf("Lag is %v, want %v", got, want)
				}
				inject(t, x, "clean 503x3") // some 35 s
				after(4 * time.Minute)
				inject(t, x, "lag=0s")
				after(4 * time.Minute)
				s.stop()
				if diff := cmp.Diff(sorted(x.IDs()), sorted(s.got())); diff != "" {
					t.Errorf("-want +got:\n%s\n%s", diff, s.logged())
				}
			})
		})
	}
}

// A connection that trickles is alive, and lags; when it is closed the stream goes
// on at full speed.
func TestATricklingConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, opts := server(t, xtest.Rate(1))
		defer x.Close()
		s := start(t, nil, xstream.Token("secret"), append(opts, originals)...)
		after(time.Minute)
		inject(t, x, "slow=200")
		after(5 * time.Minute)
		if st := s.Stats(); !st.Connected || st.Connects != 1 || st.Stalls != 0 || st.Lag < 3*time.Minute {
			t.Errorf("while it trickles: %+v", st)
		}
		inject(t, x, "clean")
		after(2 * time.Minute)
		if st := s.Stats(); st.Connects != 2 || st.Lag > 2*time.Second {
			t.Errorf("after that: %+v", st)
		}
		s.stop()
		if diff := cmp.Diff(sorted(x.IDs()), sorted(s.got())); diff != "" {
			t.Errorf("-want +got:\n%s\n%s", diff, s.logged())
		}
	})
}
