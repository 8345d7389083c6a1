package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/tweetstream-go/tweetstream/sources/xstream"
)

// connsCmd sees to the connections that are live at X.
type connsCmd struct {
	List  connsListCmd  `cmd:"" help:"List the live connections of the app, of this program and of others."`
	Close connsCloseCmd `cmd:"" help:"Close live connections: the way out when X answers TooManyConnections."`
}

type connsListCmd struct {
	JSON bool `name:"json" help:"Write one JSON object a line instead of a table."`
}

type connsCloseCmd struct {
	Endpoint string `arg:"" optional:"" name:"ENDPOINT" help:"Close those of this endpoint, as list names it, such as filtered_stream."`
	All      bool   `help:"Close every connection of the app."`
}

// Run is called by kong.
func (c *connsListCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	source, err := common.rulesSource(ctx, s, con)
	if err != nil {
		return err
	}
	live, err := source.Connections(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return writeConnsJSON(live)
	}
	if len(live) == 0 {
		fmt.Fprintln(con, "No connection is live.")
		return nil
	}
	t := newTable(os.Stdout, "ENDPOINT", "SINCE", "FROM", "ID")
	for _, l := range live {
		t.row(l.Endpoint, day(l.Since), l.From, l.ID)
	}
	return t.Flush()
}

func writeConnsJSON(live []xstream.Connection) error {
	out := json.NewEncoder(os.Stdout)
	for _, l := range live {
		err := out.Encode(struct {
			ID       string    `json:"id"`
			Endpoint string    `json:"endpoint"`
			Since    time.Time `json:"since,omitzero"`
			From     string    `json:"from,omitempty"`
		}{l.ID, l.Endpoint, l.Since, l.From})
		if err != nil {
			return err
		}
	}
	return nil
}

var endpointName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Run is called by kong.
func (c *connsCloseCmd) Run(ctx context.Context, common *common, s *settings, con *console) error {
	switch {
	case c.All == (c.Endpoint != ""):
		return misuse("want ENDPOINT, such as filtered_stream, or --all")
	case c.All:
		c.Endpoint = "all"
	case !endpointName.MatchString(c.Endpoint):
		return misuse("%.64q is no name of an endpoint: connections list shows them", c.Endpoint)
	}
	source, err := common.rulesSource(ctx, s, con)
	if err != nil {
		return err
	}
	n, err := source.CloseConnections(ctx, c.Endpoint)
	if err != nil {
		return err
	}
	fmt.Printf("closed: %d\n", n)
	return nil
}
