package sinktest

import "context"

// Try runs all checks as Run does, and returns what each has found, and why it
// was skipped, by its name.
func Try(ctx context.Context, newSubject func() Subject) (failures map[string][]string, skipped map[string]string) {
	failures, skipped = map[string][]string{}, map[string]string{}
	for _, c := range checks {
		p := newProbe(ctx, newSubject())
		p.run(c)
		if len(p.failures) > 0 {
			failures[c.name] = p.failures
		}
		if p.skipped != "" {
			skipped[c.name] = p.skipped
		}
	}
	return failures, skipped
}
