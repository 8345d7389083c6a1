package xtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const connectionsPath = "/2/connections"

// connection is one live connection as X lists it.
type connection struct {
	ID          string `json:"id"`
	Endpoint    string `json:"endpoint_name"`
	ConnectedAt string `json:"connected_at"`
	ClientIP    string `json:"client_ip,omitempty"`
}

// endpointName is what the Connections API calls the stream of a connection.
func (c *conn) endpointName() string {
	if c.sample {
		return "sample_stream"
	}
	return "filtered_stream"
}

// listConnections answers with the connections that are live; those that ended
// are not kept.
func (s *Server) listConnections(r *http.Request) Response {
	q := r.URL.Query()
	if resp, ok := checkParams(q, []string{"status", "endpoints", "max_results", "pagination_token", "connection.fields"}); !ok {
		return resp
	}
	status, endpoints := q.Get("status"), q.Get("endpoints")
	if !slices.Contains([]string{"", "active", "inactive", "all"}, status) {
		return invalidRequest("status", status, "The `status` query parameter value ["+status+"] is not one of [active,inactive,all]")
	}
	a := struct {
		Data []connection `json:"data,omitempty"`
		Meta struct {
			Count int `json:"result_count"`
		} `json:"meta"`
	}{}
	for _, c := range s.hub.connected() {
		if status == "inactive" || endpoints != "" && !slices.Contains(strings.Split(endpoints, ","), c.endpointName()) {
			continue
		}
		a.Data = append(a.Data, connection{c.id, c.endpointName(), c.since.Format(millis), c.client})
	}
	a.Meta.Count = len(a.Data)
	return respond(http.StatusOK, a)
}

// closeConnections ends those of the endpoint, or all of them.
func (s *Server) closeConnections(endpoint string) Response {
	if !slices.Contains([]string{"all", "filtered_stream", "sample_stream"}, endpoint) {
		return invalidRequest("endpoint_id", endpoint, "The `endpoint_id` path parameter value ["+endpoint+"] is not one of [filtered_stream,sample_stream]")
	}
	type result struct {
		UUID    string `json:"uuid"`
		Success bool   `json:"success"`
	}
	var a struct {
		Data struct {
			Results    []result `json:"results"`
			Successful int      `json:"successful_kills"`
			Failed     int      `json:"failed_kills"`
		} `json:"data"`
	}
	for _, c := range s.hub.detach(func(c *conn) bool { return endpoint == "all" || c.endpointName() == endpoint }) {
		s.dropped.Add(int64(c.end(ending{message: disconnect("ForceDisconnect", "This stream has been disconnected on request.")})))
		a.Data.Results = append(a.Data.Results, result{c.id, true})
	}
	a.Data.Successful = len(a.Data.Results)
	return respond(http.StatusOK, a)
}

// connID makes an id in the form of X's.
func connID(n int64) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }
