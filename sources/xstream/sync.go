package xstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tweetstream-go/tweetstream"
)

// A RuleDiff is what lies between the rules declared and those at X. Those at X
// have their ids.
type RuleDiff struct {
	Add        []tweetstream.Rule // declared, and not at X
	Delete     []tweetstream.Rule // at X and not declared, with a tag that [Prune] names
	Undeclared []tweetstream.Rule // at X and not declared, or under another tag: they stay there
}

// DiffRules returns what [Source.SyncRules] would do now.
func (s *Source) DiffRules(ctx context.Context) (RuleDiff, error) {
	diff, _, err := s.diffRules(ctx, s.wanted())
	return diff, err
}

// diffRules also returns the rules that stay at X, by id.
func (s *Source) diffRules(ctx context.Context, wanted []tweetstream.Rule) (diff RuleDiff, stay map[string]tweetstream.Rule, err error) {
	there, err := s.ListRules(ctx)
	if err != nil {
		return diff, nil, err
	}
	// A tag can't be changed: the same value with another tag is another rule.
	type key struct{ value, tag string }
	declared := map[key]bool{}
	for _, r := range wanted {
		declared[key{r.Value, r.Tag}] = true
	}
	stay = map[string]tweetstream.Rule{}
	values := map[string]bool{}
	for _, r := range there {
		switch {
		case declared[key{r.Value, r.Tag}]:
		case s.prune != "" && strings.HasPrefix(r.Tag, s.prune):
			diff.Delete = append(diff.Delete, r)
			continue
		default:
			diff.Undeclared = append(diff.Undeclared, r)
		}
		stay[r.ID], values[r.Value] = r, true
	}
	for _, r := range wanted {
		if !values[r.Value] {
			diff.Add = append(diff.Add, r)
		}
	}
	return diff, stay, nil
}

// SyncRules brings the rules at X in line with those declared by [Rules] or
// [Source.SetRules]: it adds what is missing, and deletes what [Prune] says. What
// else is there stays, and is named in the log. X is asked first whether it would
// take what is to be added: if not, nothing is changed, and the error joins a
// [*RuleError] for each rule that it refuses. Stream does it at its start; programs
// that only keep rules call it by themselves. It is not for the sampled stream.
func (s *Source) SyncRules(ctx context.Context) error {
	s.syncing.Lock()
	defer s.syncing.Unlock()
	return s.syncRules(ctx, s.wanted())
}

// SetRules declares rules in place of all those declared before, and brings X in
// line, as [Source.SyncRules] does. It may be called while Stream runs, which goes
// on meanwhile: X begins to go by the new rules some 20 s later. If a rule is
// refused, or X can't be asked, those declared before stay declared. If X fails
// after that, part of the change may be done; SyncRules does the rest.
func (s *Source) SetRules(ctx context.Context, rules ...tweetstream.Rule) error {
	if s.sample {
		return errors.New("xstream: SetRules: the sampled stream knows no rules")
	}
	seen := map[string]bool{}
	for _, r := range rules {
		if seen[r.Value] {
			return fmt.Errorf("xstream: SetRules: two rules have the value %.200q", r.Value)
		}
		seen[r.Value] = true
	}
	s.syncing.Lock()
	defer s.syncing.Unlock()
	return s.syncRules(ctx, slices.Clone(rules))
}

// wanted returns the rules that are declared. They are not to be changed.
func (s *Source) wanted() []tweetstream.Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.declared
}

// syncRules is called with syncing locked.
func (s *Source) syncRules(ctx context.Context, wanted []tweetstream.Rule) error {
	diff, known, err := s.diffRules(ctx, wanted)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range diff.Add {
		errs = append(errs, s.checkRule(r))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	// Nothing is deleted for the sake of rules that X then does not take.
	if _, err := s.addRules(ctx, diff.Add, true); err != nil && !(isRulesCap(err) && len(diff.Delete) > 0) {
		return err
	}
	// Posts of a rule that is deleted come for some 20 s more.
	var pruned []string
	for _, r := range diff.Delete {
		pruned = append(pruned, r.ID)
		known[r.ID] = r
	}
	s.mu.Lock()
	s.declared, s.rules = wanted, known
	s.mu.Unlock()

	if err := s.DeleteRules(ctx, pruned...); err != nil {
		return err
	}
	added, err := s.addRules(ctx, diff.Add, false)
	known = clone(known, added)
	s.mu.Lock()
	s.rules = known
	s.mu.Unlock()
	if err != nil {
		return err
	}
	if len(added) < len(diff.Add) {
		s.logger.Warn("another program has added a rule at the same moment", "count", len(diff.Add)-len(added))
	}
	if len(pruned)+len(added) > 0 {
		s.logger.Info("the rules are in line", "added", len(added), "deleted", len(pruned), "active", len(known)-len(pruned))
	}
	s.nameUndeclared(diff.Undeclared, wanted)
	return nil
}

// clone returns a copy with more rules in it: others may read the one that is
// there.
func clone(known map[string]tweetstream.Rule, more []tweetstream.Rule) map[string]tweetstream.Rule {
	all := make(map[string]tweetstream.Rule, len(known)+len(more))
	for id, r := range known {
		all[id] = r
	}
	for _, r := range more {
		all[r.ID] = r
	}
	return all
}

// isRulesCap reports whether X takes no more rules.
func isRulesCap(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.rulesCap()
}

// nameUndeclared logs the rules that nobody declared, and those whose tag is
// another.
func (s *Source) nameUndeclared(there, wanted []tweetstream.Rule) {
	const most = 10
	named := 0
	for _, r := range there {
		if i := slices.IndexFunc(wanted, func(d tweetstream.Rule) bool { return d.Value == r.Value }); i >= 0 {
			s.logger.Warn("a rule declared is there under another tag, which its Posts will bear: delete it to have it added anew", "value", s.clean(r.Value), "tag", wanted[i].Tag, "tag_there", s.clean(r.Tag), "id", r.ID)
			continue
		}
		if named++; named <= most {
			s.logger.Warn("an active rule that nobody declared: the Posts that it brings are billed", "id", r.ID, "tag", s.clean(r.Tag), "value", s.clean(r.Value))
		}
	}
	if named > most {
		s.logger.Warn("and more active rules that nobody declared", "count", named-most)
	}
}
