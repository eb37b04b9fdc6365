/** The controls above a dashboard: variables, links, time range, refresh. */
import { rangeUtil, type TimeRange } from '@grafana/data';
import type { Dashboard } from '@grafana/schema';
import { Button, Combobox, Icon, InlineLabel, Input, MultiCombobox } from '@grafana/ui';
import type { Context } from './frames';
import { ALL, interpolate, type Variable } from './variables';

export type Listed = { uid: string; title: string; description?: string; tags?: string[] };
export type Change = (params: Record<string, string | string[]>) => void;

const RANGES = ['5m', '15m', '1h', '6h', '24h'].map((r) => ({ label: `Last ${r}`, value: `now-${r}` }));
const REFRESHES = ['', '5s', '10s', '30s', '1m', '5m'].map((r) => ({ label: r || 'Off', value: r }));

export function TimeControls({ range, refresh, change, reload }: { range: TimeRange; refresh: string; change: Change; reload: () => void }) {
  const isKnown = range.raw.to === 'now' && RANGES.some((r) => r.value === range.raw.from);
  const value = isKnown ? String(range.raw.from) : 'asked';
  const options = isKnown ? RANGES : [...RANGES, { label: rangeUtil.describeTimeRange(range.raw), value }];
  const pick = (o: { value: string }) => o.value !== 'asked' && change({ from: o.value, to: 'now' });
  return (
    <>
      <Combobox aria-label="Time range" prefixIcon="clock-nine" options={options} value={value} width={isKnown ? 20 : 48} onChange={pick} />
      <Button variant="secondary" icon="sync" aria-label="Refresh" onClick={reload} />
      <Combobox aria-label="Refresh every" options={REFRESHES} value={refresh} width={10} onChange={(o) => change({ refresh: o.value })} />
    </>
  );
}

export function VariableControl({ variable: { model, options, values }, change }: { variable: Variable; change: Change }) {
  const set = (chosen: string[]) => change({ [`var-${model.name}`]: chosen.map((v) => (v === ALL ? 'All' : v)) });
  const all = model.includeAll ? [{ label: 'All', value: ALL }] : [];
  const list = [...all, ...options.map((o) => ({ label: o.text, value: o.value }))];
  // All and single values exclude each other: what was added last stays.
  const rest = (to: string[]) => (to.includes(ALL) === values.includes(ALL) ? to.filter((v) => v !== ALL) : []);
  const toggle = (to: string[]) => set(rest(to).length ? rest(to) : model.includeAll ? [ALL] : values);
  const shared = { 'aria-label': model.name, options: list, width: 'auto' as const, minWidth: 16, maxWidth: 60 };
  return (
    <div className="variable" data-variable={model.name}>
      {model.hide !== 1 && <InlineLabel width="auto">{model.label || model.name}</InlineLabel>}
      {model.type === 'textbox' ? <Input aria-label={model.name} defaultValue={values[0]} width={24} onBlur={(e) => set([e.currentTarget.value])} />
        : model.multi ? <MultiCombobox {...shared} value={values} onChange={(o) => toggle(o.map((x) => x.value))} />
        : <Combobox {...shared} value={values[0]} onChange={(o) => set([o.value])} />}
    </div>
  );
}

export function DashboardLinks({ dashboard, all, context: { scope, builtIns } }: { dashboard: Dashboard; all: Listed[]; context: Context }) {
  const links = (dashboard.links ?? []).flatMap(({ type, title, url = '', tags, keepTime, includeVars, targetBlank }) => {
    const more = [keepTime && builtIns.__url_time_range, includeVars && builtIns.__all_variables].filter(Boolean).join('&');
    const extend = (href: string) => (more ? `${href}${href.includes('?') ? '&' : '?'}${more}` : href);
    const others = all.filter((d) => d.uid !== dashboard.uid && tags.every((tag) => d.tags?.includes(tag)));
    return type === 'dashboards'
      ? others.map((d) => ({ title: d.title, href: extend(`/d/${d.uid}`), targetBlank }))
      : [{ title: interpolate(title, scope, builtIns), href: extend(interpolate(url, scope, builtIns, 'uriencode')), targetBlank }];
  });
  return links.map(({ title, href, targetBlank }) => (
    <a key={title + href} className="dashboard-link" href={href} target={targetBlank ? '_blank' : undefined} rel="noreferrer">
      <Icon name={href.startsWith('/d/') ? 'apps' : 'external-link-alt'} size="sm" /> {title}
    </a>
  ));
}

export const Notice = () => (
  <p className="notice">
    A preview and a test, drawn with Grafana&apos;s component library: it edits, stores and alerts nothing. To work with these dashboards, run Grafana.
  </p>
);
