// Package prometheus is the collector's Prometheus exporter for the build of builder.yaml, and of no use elsewhere.
//
// The release of the exporter that can be had is older than the core that it is built with. In that core the HTTP server's settings
// read themselves, and since the exporter's settings embed them, nothing else of them was read any more. Here both are read.
// The image that compose runs has exporter and core of one release, and needs none of this.
package prometheus

import (
	"context"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
)

// Config is the exporter's, read whole.
type Config struct {
	prometheusexporter.Config
}

// Unmarshal reads the server's settings first, then those beside them that the bundle sets.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := c.ServerConfig.Unmarshal(conf); err != nil {
		return err
	}
	own := struct {
		EnableOpenMetrics bool          `mapstructure:"enable_open_metrics"`
		WithoutScopeInfo  bool          `mapstructure:"without_scope_info"`
		MetricExpiration  time.Duration `mapstructure:"metric_expiration"`
	}{c.EnableOpenMetrics, c.WithoutScopeInfo, c.MetricExpiration}
	if err := conf.Unmarshal(&own, confmap.WithIgnoreUnused()); err != nil {
		return err
	}
	c.EnableOpenMetrics, c.WithoutScopeInfo, c.MetricExpiration = own.EnableOpenMetrics, own.WithoutScopeInfo, own.MetricExpiration
	return nil
}

// NewFactory is the exporter's own, but for the settings.
func NewFactory() exporter.Factory {
	inner := prometheusexporter.NewFactory()
	return exporter.NewFactory(
		inner.Type(),
		func() component.Config {
			return &Config{Config: *inner.CreateDefaultConfig().(*prometheusexporter.Config)}
		},
		exporter.WithMetrics(
			func(ctx context.Context, set exporter.Settings, cfg component.Config) (exporter.Metrics, error) {
				return inner.CreateMetrics(ctx, set, &cfg.(*Config).Config)
			},
			inner.MetricsStability(),
		),
	)
}
