// Reads manifests as JSON, one a line, and decodes each strictly into the type that its project
// publishes: what these types do not have is an error. For the expressions of alerts it also
// prints which metrics they use, with which labels. Exit code 1 if any is wrong.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	mesh "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1beta1"
	security "istio.io/api/security/v1beta1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	strict "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// By apiVersion and kind: the spec of Istio's kinds, which are messages.
var messages = map[string]func() proto.Message{
	"security.istio.io/v1beta1 AuthorizationPolicy": func() proto.Message { return &security.AuthorizationPolicy{} },
	"security.istio.io/v1beta1 PeerAuthentication":  func() proto.Message { return &security.PeerAuthentication{} },
	"networking.istio.io/v1beta1 Sidecar":           func() proto.Message { return &networking.Sidecar{} },
}

// The object around a message, without `status`: nobody applies one.
type object struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            json.RawMessage `json:"spec"`
}

func decode(line []byte, into any) error {
	unknown, err := strict.UnmarshalStrict(line, into)
	if err == nil && len(unknown) > 0 {
		err = unknown[0]
	}
	return err
}

// The groups of a rule, judged as Prometheus does when it loads them.
func checkRules(line []byte) error {
	var rule monitoring.PrometheusRule
	if err := decode(line, &rule); err != nil {
		return err
	}
	groups, err := yaml.Marshal(rule.Spec)
	if err != nil {
		return err
	}
	parsed, errs := rulefmt.Parse(groups)
	if len(errs) > 0 {
		return errs[0]
	}
	for _, group := range parsed.Groups {
		for _, each := range group.Rules {
			if err := printMetrics(each.Expr.Value); err != nil {
				return err
			}
		}
	}
	return nil
}

// A line "metric NAME LABEL..." for each that the expression uses; of labels those that it
// selects by, and not how it groups.
func printMetrics(expression string) error {
	parsed, err := parser.ParseExpr(expression)
	if err != nil {
		return err
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		words := []string{"metric", selector.Name}
		for _, matcher := range selector.LabelMatchers {
			if matcher.Name != labels.MetricName {
				words = append(words, matcher.Name)
			}
		}
		fmt.Println(strings.Join(words, " "))
		return nil
	})
	return nil
}

func check(line []byte) (string, error) {
	var head struct {
		APIVersion, Kind string
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return "?", err
	}
	name := head.APIVersion + " " + head.Kind
	switch name {
	case " MeshConfig": // named by us: it is no object, but a part of Istio's own configuration
		var config struct{ Spec json.RawMessage }
		if err := json.Unmarshal(line, &config); err != nil {
			return name, err
		}
		return name, protojson.Unmarshal(config.Spec, &mesh.MeshConfig{})
	case "monitoring.coreos.com/v1 ServiceMonitor":
		return name, decode(line, &monitoring.ServiceMonitor{})
	case "monitoring.coreos.com/v1 PrometheusRule":
		return name, checkRules(line)
	}
	message, ok := messages[name]
	if !ok {
		return name, fmt.Errorf("of an unknown kind")
	}
	var whole object
	if err := decode(line, &whole); err != nil {
		return name, err
	}
	return name, protojson.Unmarshal(whole.Spec, message())
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	bad := false
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		name, err := check(lines.Bytes())
		if err != nil {
			bad = true
			fmt.Printf("%s: %v\n", name, err)
			continue
		}
		fmt.Printf("%s: OK\n", name)
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if bad {
		os.Exit(1)
	}
}
