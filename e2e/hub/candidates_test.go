package hub_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/centrifugal/centrifuge"
	coder "github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gorilla/websocket"
	"github.com/olahol/melody"

	"github.com/tweetstream-go/tweetstream"
	"github.com/tweetstream-go/tweetstream/sinks/wshub"
)

// A candidate sends messages to all viewers. What is measured are its cpu and
// memory; send may return before all is written.
type candidate interface {
	address() string
	hello() (path string, messages []string)
	viewers() int
	send(messages [][]byte) error
	cpu() time.Duration
	memory() float64
	close()
}

// A contender is how to make a candidate, and how many deliveries it manages in a
// few seconds.
type contender struct {
	name       string
	deliveries int
	make       func(testing.TB) candidate
}

var contenders = []contender{
	{"wshub", 3_000_000, func(testing.TB) candidate { return newHub() }},
	{"gobwas", 2_000_000, func(testing.TB) candidate { return served(&gobwas{}) }},
	{"gorilla-prepared", 2_000_000, func(testing.TB) candidate { return served(&gorilla{prepared: true}) }},
	{"gorilla", 1_000_000, func(testing.TB) candidate { return served(&gorilla{}) }},
	{"centrifuge", 2_000_000, func(tb testing.TB) candidate { return newCentrifuge(tb) }},
	{"melody", 1_000_000, func(testing.TB) candidate { return newMelody() }},
	{"coder", 1_000_000, func(testing.TB) candidate { return served(&coders{}) }},
	{"socket.io", 500_000, newSocketIO},
}

// local is what the candidates of this process share.
type local struct{ server *httptest.Server }

func (l *local) serve(h http.Handler)      { l.server = httptest.NewServer(h) }
func (l *local) address() string           { return l.server.Listener.Addr().String() }
func (l *local) hello() (string, []string) { return "", nil }

// cpu returns the processor time that this process has taken.
func (l *local) cpu() time.Duration { return processorTime() }

func (l *local) memory() float64 {
	var m runtime.MemStats
	for range 3 { // pools are emptied by the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}

// hub is this project's.
type hub struct {
	local
	*wshub.Hub
}

func newHub(opts ...wshub.Option) *hub {
	w, err := wshub.New(append(opts, wshub.Newest(0))...)
	if err != nil {
		panic(err)
	}
	h := &hub{Hub: w}
	h.serve(w)
	return h
}

func (h *hub) viewers() int { return h.Stats().Viewers }

func (h *hub) send(messages [][]byte) error {
	tweets := make([]*tweetstream.Tweet, len(messages))
	for i, m := range messages {
		// Its number serves as the id: the hub takes each Post once.
		tweets[i] = &tweetstream.Tweet{ID: string(m[nAt:][:12]), Raw: m}
	}
	return h.Deliver(context.Background(), tweets)
}

func (h *hub) close() {
	_ = h.Close(context.Background())
	h.server.Close()
}

// room is what libraries without one need to know their viewers.
type room[C any] struct {
	local
	mu    sync.Mutex
	conns []C
}

func (r *room[C]) add(c C) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns = append(r.conns, c)
}

func (r *room[C]) viewers() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.conns)
}

// each calls f for all viewers, from as many goroutines as there are processors.
func (r *room[C]) each(f func(C) error) error {
	n := runtime.GOMAXPROCS(0)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for _, c := range r.conns[len(r.conns)*i/n : len(r.conns)*(i+1)/n] {
				if errs[i] = f(c); errs[i] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// served serves a candidate that is a handler.
func served[C interface {
	candidate
	http.Handler
	serve(http.Handler)
}](c C) candidate {
	c.serve(c)
	return c
}

// gobwas compiles a frame once and writes it to each viewer.
type gobwas struct{ room[net.Conn] }

func (g *gobwas) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, _, _, err := ws.UpgradeHTTP(r, w)
	if err == nil {
		g.add(conn)
	}
}

func (g *gobwas) send(messages [][]byte) error {
	for _, m := range messages {
		frame, err := ws.CompileFrame(ws.NewTextFrame(m))
		if err != nil {
			return err
		}
		if err := g.each(func(c net.Conn) error { _, err := c.Write(frame); return err }); err != nil {
			return err
		}
	}
	return nil
}

func (g *gobwas) close() {
	_ = g.each(net.Conn.Close)
	g.server.Close()
}

// gorilla writes each message to each viewer, prepared or not.
type gorilla struct {
	room[*websocket.Conn]
	prepared bool
}

func (g *gorilla) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err == nil {
		g.add(conn)
	}
}

func (g *gorilla) send(messages [][]byte) error {
	for _, m := range messages {
		write := func(c *websocket.Conn) error { return c.WriteMessage(websocket.TextMessage, m) }
		if g.prepared {
			p, err := websocket.NewPreparedMessage(websocket.TextMessage, m)
			if err != nil {
				return err
			}
			write = func(c *websocket.Conn) error { return c.WritePreparedMessage(p) }
		}
		if err := g.each(write); err != nil {
			return err
		}
	}
	return nil
}

func (g *gorilla) close() {
	_ = g.each((*websocket.Conn).Close)
	g.server.Close()
}

// coders writes each message to each viewer.
type coders struct{ room[*coder.Conn] }

func (c *coders) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conn, err := coder.Accept(w, r, nil)
	if err == nil {
		c.add(conn)
	}
}

func (c *coders) send(messages [][]byte) error {
	for _, m := range messages {
		write := func(c *coder.Conn) error { return c.Write(context.Background(), coder.MessageText, m) }
		if err := c.each(write); err != nil {
			return err
		}
	}
	return nil
}

func (c *coders) close() {
	_ = c.each((*coder.Conn).CloseNow)
	c.server.Close()
}

// melodies has a queue and a goroutine for each viewer.
type melodies struct {
	local
	*melody.Melody
}

func newMelody() *melodies {
	m := &melodies{Melody: melody.New()}
	m.Config.MessageBufferSize = 4096 // more than may be under way
	m.serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _ = m.HandleRequest(w, r) }))
	return m
}

func (m *melodies) viewers() int { return m.Len() }

func (m *melodies) send(messages [][]byte) error {
	for _, raw := range messages {
		if err := m.Broadcast(raw); err != nil {
			return err
		}
	}
	return nil
}

func (m *melodies) close() {
	_ = m.Close()
	m.server.Close()
}

// centrifugal has a queue and a goroutine for each viewer, and puts up to 16
// messages into a frame, or, as here, all that there are.
type centrifugal struct {
	local
	node *centrifuge.Node
}

func newCentrifuge(tb testing.TB) *centrifugal {
	node, err := centrifuge.New(centrifuge.Config{ClientQueueMaxSize: 64 << 20})
	if err != nil {
		tb.Fatal(err)
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{
			Credentials:        &centrifuge.Credentials{},
			Subscriptions:      map[string]centrifuge.SubscribeOptions{"posts": {}},
			MaxMessagesInFrame: -1,
		}, nil
	})
	if err := node.Run(); err != nil {
		tb.Fatal(err)
	}
	c := &centrifugal{node: node}
	c.serve(centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		WriteTimeout:   time.Minute,
		PingPongConfig: centrifuge.PingPongConfig{PingInterval: time.Hour, PongTimeout: time.Minute},
	}))
	return c
}

func (c *centrifugal) hello() (string, []string) { return "", []string{`{"id":1,"connect":{}}`} }

func (c *centrifugal) viewers() int { return c.node.Hub().NumSubscribers("posts") }

func (c *centrifugal) send(messages [][]byte) error {
	for _, m := range messages {
		if _, err := c.node.Publish("posts", m); err != nil {
			return err
		}
	}
	return nil
}

func (c *centrifugal) close() {
	_ = c.node.Shutdown(context.Background())
	c.server.Close()
}
