// What Flux's source-controller takes for OCIRepository.spec.ref.semver. Its code is in an internal package of a controller, so its own
// lines stand here, over the release of Masterminds/semver that it pins. With the argument `image`, as for an artifact that is no Helm
// chart: without it spec.layerSelector.mediaType is the one of Helm charts.
package main

import (
	"fmt"
	"os"
	"sort"
	"strings"

	"entrepot.test/oracles/cases"
	"github.com/Masterminds/semver/v3"
)

// chartLayerMediaType is helm.sh/helm/v4/pkg/registry.ChartLayerMediaType.
const chartLayerMediaType = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"

func main() {
	mediaType := chartLayerMediaType
	if len(os.Args) > 1 && os.Args[1] == "image" {
		mediaType = ""
	}
	cases.AnswerAll(func(question cases.Case) (cases.Answer, error) {
		return getTagBySemver(question.Tags, question.Range, mediaType), nil
	})
}

// (*OCIRepositoryReconciler).getTagBySemver of internal/controller/ocirepository_controller.go in fluxcd/source-controller at
// 39b711b111fa906c3db0a424e252a5d12e48646d, the same in v1.10.1; without spec.ref.semverFilter.
func getTagBySemver(validTags []string, exp string, mediaType string) cases.Answer {
	constraint, err := semver.NewConstraint(exp)
	if err != nil {
		return cases.Refuse(cases.Invalid, fmt.Errorf("semver '%s' parse error: %w", exp, err))
	}

	var matchingVersions []*semver.Version
	for _, ociTag := range validTags {
		semVerTag := convertOCIToSemVerTag(ociTag, mediaType)
		v, err := parseVersion(semVerTag)
		if err != nil {
			continue
		}

		if constraint.Check(v) {
			matchingVersions = append(matchingVersions, v)
		}
	}

	if len(matchingVersions) == 0 {
		return cases.Refuse(cases.Unmatched, fmt.Errorf("no match found for semver: %s", exp))
	}

	// Find the latest SemVer.
	sort.Sort(sort.Reverse(semver.Collection(matchingVersions)))
	semVerTag := matchingVersions[0].Original()

	// Convert the latest SemVer to an OCI tag and return the reference.
	return cases.Answer{Tag: convertSemVerToOCITag(semVerTag, mediaType)}
}

func convertSemVerToOCITag(semVer, mediaType string) string {
	if mediaType == chartLayerMediaType {
		return strings.ReplaceAll(semVer, "+", "_")
	}
	return semVer
}

func convertOCIToSemVerTag(ociTag, mediaType string) string {
	if mediaType == chartLayerMediaType {
		return strings.ReplaceAll(ociTag, "_", "+")
	}
	return ociTag
}

// ParseVersion of github.com/fluxcd/pkg/version at v0.16.0, which that commit pins; the same in v0.20.0.
func parseVersion(v string) (*semver.Version, error) {
	parts := strings.SplitN(v, ".", 3)
	if len(parts) != 3 {
		return nil, semver.ErrInvalidSemVer
	}

	return semver.NewVersion(v)
}
