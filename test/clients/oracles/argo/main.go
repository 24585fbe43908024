// What Argo CD deploys for the targetRevision of an OCI source. Its packages need a module that replaces half of Kubernetes, so its own
// lines stand here, over the releases of Masterminds/semver and oras-go that it pins, against a registry on loopback.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"strings"

	"entrepot.test/oracles/cases"
	"github.com/Masterminds/semver/v3"
	"oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
)

func main() {
	holder := cases.NewRegistry()
	repository, err := remote.NewRepository(holder.Host + "/" + cases.Repository)
	if err != nil {
		log.Fatal(err)
	}
	repository.PlainHTTP = true
	argo := &client{repository}
	cases.AnswerAll(func(question cases.Case) (cases.Answer, error) {
		holder.Hold(question.Tags)
		_, err := argo.resolveRevision(context.Background(), question.Range)
		return answer(holder, question, err)
	})
}

func answer(holder *cases.Registry, question cases.Case, err error) (cases.Answer, error) {
	asked, listed := holder.Asked()
	switch {
	case err == nil && listed:
		return cases.Answer{Tag: asked}, nil
	case err == nil:
		return cases.Answer{}, fmt.Errorf("resolved %q, which is not listed", asked)
	case errors.Is(err, errBadTag):
		return cases.Refuse(cases.BadTag, err), nil
	case errors.Is(err, errUnmatched):
		return cases.Refuse(cases.Unmatched, err), nil
	case isConstraint(question.Range):
		return cases.Refuse(cases.Unaskable, err), nil
	}
	// Argo says the same ("cannot get digest for revision") of a version that is not there and of a range that it cannot read.
	if _, notVersion := semver.NewVersion(question.Range); notVersion != nil {
		return cases.Refuse(cases.Invalid, err), nil
	}
	return cases.Refuse(cases.Unmatched, err), nil
}

var (
	errBadTag    = errors.New("invalid semver version in tags")
	errUnmatched = errors.New("version matching constraint not found in tags")
)

type client struct{ repo *remote.Repository }

// (*nativeOCIClient).resolveRevision of util/oci/client.go in argoproj/argo-cd at 37ee0097cf851bc2dd7665fc081bbce61a7e836e, the same in
// v3.6.1.
func (c *client) resolveRevision(ctx context.Context, revision string) (string, error) {
	digest, err := c.resolveDigest(ctx, revision) // Lookup explicit revision
	if err != nil {
		// If the revision is not a semver constraint, just return the error
		if !isConstraint(revision) {
			return digest, err
		}

		tags, err := c.getTags(ctx)
		if err != nil {
			return "", fmt.Errorf("error fetching tags: %w", err)
		}

		// Look to see if revision is a semver constraint
		version, err := maxVersion(revision, tags)
		if err != nil {
			return "", fmt.Errorf("no version for constraints: %w", err)
		}
		// Look up the digest for the resolved version
		return c.resolveDigest(ctx, version)
	}

	return digest, nil
}

// (*nativeOCIClient).getTags of the same file, without its cache.
func (c *client) getTags(ctx context.Context) ([]string, error) {
	var tags []string
	result, err := registry.Tags(ctx, c.repo)
	if err != nil {
		return nil, fmt.Errorf("failed to get tags: %w", err)
	}

	for _, tag := range result {
		// By convention: Change underscore (_) back to plus (+) to get valid SemVer
		convertedTag := strings.ReplaceAll(tag, "_", "+")
		tags = append(tags, convertedTag)
	}
	return tags, nil
}

func (c *client) resolveDigest(ctx context.Context, revision string) (string, error) {
	descriptor, err := c.repo.Resolve(ctx, revision)
	if err != nil {
		return "", fmt.Errorf("cannot get digest for revision %s: %w", revision, err)
	}

	return descriptor.Digest.String(), nil
}

// MaxVersion of util/versions/tags.go at the same commit, without a tag prefix; its errors are named, its words are kept.
func maxVersion(revision string, tags []string) (string, error) {
	if v, err := semver.NewVersion(revision); err == nil {
		return v.Original(), nil
	}

	constraints, err := semver.NewConstraint(revision)
	if err != nil {
		if slices.Contains(tags, revision) {
			return revision, nil
		}
		return "", fmt.Errorf("failed to determine semver constraint: %w", err)
	}

	var maxVersion *semver.Version
	for _, tag := range tags {
		v, err := semver.NewVersion(tag)

		// Invalid semantic version ignored
		if errors.Is(err, semver.ErrInvalidSemVer) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("%w: %w", errBadTag, err)
		}
		if constraints.Check(v) {
			if maxVersion == nil || v.GreaterThan(maxVersion) {
				maxVersion = v
			}
		}
	}
	if maxVersion == nil {
		return "", errUnmatched
	}
	return maxVersion.Original(), nil
}

// IsConstraint of the same file.
func isConstraint(revision string) bool {
	if _, err := semver.NewVersion(revision); err == nil {
		return false
	}
	_, err := semver.NewConstraint(revision)
	return err == nil
}
