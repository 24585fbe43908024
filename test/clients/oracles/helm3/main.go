// What Helm 3 pulls, by Helm's own code: the same calls as `helm pull oci://... --version RANGE` (action.Pull) makes, against a
// registry on loopback. With the argument `dependency`, as `helm dependency update` (downloader.Manager) does for one dependency.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"entrepot.test/oracles/cases"
	"helm.sh/helm/v3/pkg/downloader"
	"helm.sh/helm/v3/pkg/getter"
	"helm.sh/helm/v3/pkg/registry"
)

func main() {
	folder, err := os.MkdirTemp("", "oracle-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	helm, err := newHelm(folder)
	if err != nil {
		log.Fatal(err)
	}
	resolve := helm.pull
	if len(os.Args) > 1 && os.Args[1] == "dependency" {
		resolve = helm.updateDependency
	}
	cases.AnswerAll(func(question cases.Case) (cases.Answer, error) {
		helm.registry.Hold(question.Tags)
		err := resolve(question.Range)
		return helm.answer(err)
	})
}

type helm struct {
	registry *cases.Registry
	client   *registry.Client
	getters  getter.Providers
	folder   string
}

func newHelm(folder string) (*helm, error) {
	client, err := registry.NewClient(
		registry.ClientOptPlainHTTP(),
		registry.ClientOptEnableCache(true),
		registry.ClientOptWriter(io.Discard),
		registry.ClientOptCredentialsFile(filepath.Join(folder, "credentials.json")),
	)
	if err != nil {
		return nil, err
	}
	getters := getter.Providers{{Schemes: []string{registry.OCIScheme}, New: getter.NewOCIGetter}}
	return &helm{cases.NewRegistry(), client, getters, folder}, nil
}

func (h *helm) pull(version string) error {
	download := downloader.ChartDownloader{
		Out:            io.Discard,
		Getters:        h.getters,
		RegistryClient: h.client,
		Options:        []getter.Option{getter.WithRegistryClient(h.client)},
	}
	_, _, err := download.DownloadTo("oci://"+h.registry.Host+"/"+cases.Repository, version, h.folder)
	return err
}

func (h *helm) updateDependency(version string) error {
	chart := filepath.Join(h.folder, "chart")
	if err := os.MkdirAll(chart, 0o700); err != nil {
		return err
	}
	repository, name := filepath.Split(cases.Repository)
	// JSON is YAML.
	metadata, err := json.Marshal(map[string]any{
		"apiVersion": "v2", "name": "parent", "version": "1.0.0",
		"dependencies": []map[string]string{
			{"name": name, "version": version, "repository": "oci://" + h.registry.Host + "/" + strings.TrimSuffix(repository, "/")},
		},
	})
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(chart, "Chart.yaml"), metadata, 0o600); err != nil {
		return err
	}
	manager := downloader.Manager{
		Out:              io.Discard,
		ChartPath:        chart,
		SkipUpdate:       true,
		Getters:          h.getters,
		RegistryClient:   h.client,
		RepositoryConfig: filepath.Join(h.folder, "repositories.yaml"),
		RepositoryCache:  h.folder,
	}
	return manager.Update()
}

// What the client said is only looked at when it asked for no manifest.
func (h *helm) answer(err error) (cases.Answer, error) {
	if err == nil {
		return cases.Answer{}, fmt.Errorf("pulled a chart from a registry that has none")
	}
	asked, listed := h.registry.Asked()
	switch {
	case listed:
		return cases.Answer{Tag: asked}, nil
	case asked != "" || says(err, "unable to locate any tags", "could not locate a version matching"):
		return cases.Refuse(cases.Unmatched, err), nil
	case says(err, "improper constraint", "constraint parser error", "constraint string is too long", "too many constraint groups"):
		return cases.Refuse(cases.Invalid, err), nil
	case says(err, "invalid reference", "improperly formatted oci chart reference", "invalid chart url format"):
		return cases.Refuse(cases.Unaskable, err), nil
	}
	return cases.Answer{}, err
}

func says(err error, phrases ...string) bool {
	text := strings.ToLower(err.Error())
	for _, phrase := range phrases {
		if strings.Contains(text, phrase) {
			return true
		}
	}
	return false
}
