/** From a panel of the dashboard to Grafana's data frames: ask, transform, apply units, thresholds and overrides. */
import {
  applyFieldOverrides, cacheFieldDisplayNames, FieldConfigOptionsRegistry, FieldType, rangeUtil, standardTransformers,
  standardTransformersRegistry, toDataFrame, transformDataFrame, type DataFrame, type DataTransformerInfo,
  type FieldConfigPropertyItem, type FieldConfigSource, type GrafanaTheme2, type InterpolateFunction, type TimeRange,
} from '@grafana/data';
import type { Panel } from '@grafana/schema';
import { lastValueFrom } from 'rxjs';
import { instantQuery, rangeQuery, type Series } from './prometheus';
import { interpolate, type BuiltIns, type Scope } from './variables';

/** The interval of the bundle's scrapes, which Grafana knows from its data source. */
const SCRAPE_SECONDS = 15;

const transformers = new Map(Object.values(standardTransformers as Record<string, DataTransformerInfo>).map((t) => [t.id, t]));
standardTransformersRegistry.setInit(() =>
  [...transformers.values()].map((t) => ({ ...t, transformation: async () => t, editor: () => null, imageDark: '', imageLight: '' }))
);

type Words = 'refId' | 'expr' | 'query' | 'format' | 'legendFormat' | 'interval';
export type Target = Partial<Record<Words, string>> & { instant?: boolean; range?: boolean; hide?: boolean; datasource?: { type?: string } };
export type Context = { scope: Scope; builtIns: BuiltIns; range: TimeRange; theme: GrafanaTheme2 };

export const targetsOf = (panel: Panel): Target[] => (panel.targets ?? []).filter((t) => !t.hide);

/** Fills `{{label}}`. */
export const fill = (text: string, { metric }: Pick<Series, 'metric'>) => text.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, label) => metric[label] ?? '');

/** The step in seconds, and the macros that depend on it, as Grafana's Prometheus data source computes them. */
export function intervals(range: TimeRange, points: number, least = SCRAPE_SECONDS): { step: number; macros: BuiltIns } {
  const step = Math.max(least, rangeUtil.calculateInterval(range, points, `${least}s`).intervalMs / 1000);
  const seconds = Math.max(1, Math.round(range.to.diff(range.from) / 1000));
  const macros = { __interval: `${step}s`, __rate_interval: `${Math.max(step + least, 4 * least)}s`, __range: `${seconds}s` };
  return { step, macros: { ...macros, __range_s: String(seconds), __interval_ms: String(step * 1000) } };
}

// Prometheus writes +Inf where JavaScript reads Infinity.
const toNumber = (text: string) => Number(text.replace(/Inf$/, 'Infinity'));

function seriesFrames(target: Target, series: Series[], expr: string, step: number): DataFrame[] {
  return series.map(({ metric, values }) => {
    const labels = Object.entries(metric).filter(([name]) => name !== '__name__');
    const auto = `${metric.__name__ ?? ''}${labels.length ? `{${labels.map(([k, v]) => `${k}="${v}"`).join(', ')}}` : ''}`;
    const own = target.legendFormat && target.legendFormat !== '__auto' ? fill(target.legendFormat, { metric }) : '';
    const config = { displayNameFromDS: own || auto || expr };
    const time = { name: 'Time', type: FieldType.time, values: values.map(([t]) => t * 1000), config: { interval: step * 1000 } };
    const value = { name: 'Value', type: FieldType.number, labels: metric, values: values.map(([, v]) => toNumber(v)), config };
    return toDataFrame({ refId: target.refId, fields: [time, value] });
  });
}

function tableFrame(target: Target, series: Series[], many: boolean): DataFrame {
  const rows = series.flatMap(({ metric, values }) => values.map(([t, v]) => ({ metric, t, v })));
  const names = [...new Set(series.flatMap(({ metric }) => Object.keys(metric)))].sort();
  const fields = [
    { name: 'Time', type: FieldType.time, values: rows.map((r): unknown => r.t * 1000) },
    ...names.map((name) => ({ name, type: FieldType.string, values: rows.map((r): unknown => r.metric[name] ?? '') })),
    { name: many ? `Value #${target.refId}` : 'Value', type: FieldType.number, values: rows.map((r): unknown => toNumber(r.v)) },
  ];
  return toDataFrame({ refId: target.refId, fields });
}

/** Asks every query of a panel and transforms the answers. Throws the first error that Prometheus answers. */
export async function ask(panel: Panel, { scope, builtIns, range }: Context, width: number, signal: AbortSignal): Promise<DataFrame[]> {
  const targets = targetsOf(panel);
  const replace = (text: string) => interpolate(text, scope, builtIns);
  const answers = targets.map(async (target) => {
    const least = target.interval || panel.interval;
    const points = panel.maxDataPoints ?? Math.max(100, Math.round(width));
    const { step, macros } = intervals(range, points, least ? rangeUtil.intervalToSeconds(replace(least)) : undefined);
    const expr = interpolate(target.expr ?? '', scope, { ...builtIns, ...macros }, 'promql');
    const series = target.instant && !target.range
      ? await instantQuery(expr, range.to.unix(), signal)
      : await rangeQuery(expr, range.from.unix(), range.to.unix(), step, signal);
    return target.format === 'table' ? [tableFrame(target, series, targets.length > 1)] : seriesFrames(target, series, expr, step);
  });
  const frames = (await Promise.all(answers)).flat();
  const wanted = (panel.transformations ?? []).map(({ topic: _, ...rest }) => rest);
  const unknown = wanted.find(({ id }) => !transformers.has(id));
  if (unknown) {
    throw new Error(`The preview doesn't know the transformation "${unknown.id}"`);
  }
  return lastValueFrom(transformDataFrame(wanted, frames, { interpolate: replace }));
}

const option = (id: string): FieldConfigPropertyItem => {
  const shared = { process: (value: unknown) => value, shouldApply: () => true, override: () => null, editor: () => null };
  return { ...shared, id, name: id, path: id.replace(/^custom\./, ''), isCustom: id.startsWith('custom.') };
};

/** Grafana registers an editor for each option; the preview edits nothing and knows whatever a dashboard sets. */
class AnyOption extends FieldConfigOptionsRegistry {
  override getIfExists = (id = '') => option(id);
}

/** Puts units, thresholds, mappings, links and overrides on the fields. */
export function dress(panel: Panel, frames: DataFrame[], theme: GrafanaTheme2, replaceVariables: InterpolateFunction): DataFrame[] {
  const { defaults, overrides } = structuredClone(panel.fieldConfig ?? { defaults: {}, overrides: [] });
  const isGraph = panel.type === 'timeseries';
  defaults.thresholds ??= { mode: 'absolute' as never, steps: [{ color: 'green', value: null }, { color: 'red', value: 80 }] };
  defaults.color ??= { mode: (isGraph ? 'palette-classic' : 'thresholds') as never };
  defaults.custom = { ...(isGraph && { lineWidth: 1, showPoints: 'auto', axisPlacement: 'auto' }), ...defaults.custom };
  const { custom = {}, ...plain } = defaults;
  const ids = [...Object.keys(plain), ...Object.keys(custom).map((name) => `custom.${name}`)];
  const fieldConfig = { defaults, overrides } as unknown as FieldConfigSource;
  const fieldConfigRegistry = new AnyOption(() => ids.map(option));
  const dressed = applyFieldOverrides({ data: frames, fieldConfig, fieldConfigRegistry, replaceVariables, theme, timeZone: 'browser' });
  cacheFieldDisplayNames(dressed);
  return dressed;
}

export const hasValues = (frames: DataFrame[]): boolean =>
  frames.some(({ fields }) => fields.some((f) => f.type !== FieldType.time && f.values.some((v) => v !== null && !Number.isNaN(v))));
