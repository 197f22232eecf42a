// Renders a chart for a HelmRelease as Flux's helm-controller does: Helm's engine with the values, then kustomize with the
// patches of the post-renderers. Arguments: the folder of the chart and the file of the release. Prints the objects as YAML.
package main

import (
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

type release struct {
	Metadata struct {
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		ReleaseName   string         `json:"releaseName"`
		Values        map[string]any `json:"values"`
		PostRenderers []struct {
			Kustomize struct {
				Patches []types.Patch `json:"patches"`
			} `json:"kustomize"`
		} `json:"postRenderers"`
	} `json:"spec"`
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(folder, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var wanted release
	if err := yaml.Unmarshal(content, &wanted); err != nil {
		return err
	}
	objects, err := render(folder, wanted)
	if err != nil {
		return err
	}
	for _, renderer := range wanted.Spec.PostRenderers {
		if objects, err = patch(objects, renderer.Kustomize.Patches); err != nil {
			return err
		}
	}
	fmt.Print(objects)
	return nil
}

func render(folder string, wanted release) (string, error) {
	chart, err := loader.Load(folder)
	if err != nil {
		return "", err
	}
	options := common.ReleaseOptions{
		Name: wanted.Spec.ReleaseName, Namespace: wanted.Metadata.Namespace, Revision: 1, IsInstall: true,
	}
	values, err := util.ToRenderValues(chart, wanted.Spec.Values, options, nil)
	if err != nil {
		return "", err
	}
	rendered, err := engine.Render(chart, values)
	if err != nil {
		return "", err
	}
	var objects strings.Builder
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if !strings.HasPrefix(path.Base(name), "_") {
			objects.WriteString("---\n" + rendered[name] + "\n")
		}
	}
	return objects.String(), nil
}

func patch(objects string, patches []types.Patch) (string, error) {
	files := filesys.MakeFsInMemory()
	kustomization := types.Kustomization{
		TypeMeta:  types.TypeMeta{APIVersion: types.KustomizationVersion, Kind: types.KustomizationKind},
		Resources: []string{"objects.yaml"},
		Patches:   patches,
	}
	content, err := yaml.Marshal(kustomization)
	if err != nil {
		return "", err
	}
	if err := files.WriteFile("kustomization.yaml", content); err != nil {
		return "", err
	}
	if err := files.WriteFile("objects.yaml", []byte(objects)); err != nil {
		return "", err
	}
	found, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, ".")
	if err != nil {
		return "", err
	}
	text, err := found.AsYaml()
	return string(text), err
}
