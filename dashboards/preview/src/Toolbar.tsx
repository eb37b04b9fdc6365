/** The controls above a dashboard: variables, links, time range, refresh. */
import { rangeUtil, type TimeRange } from '@grafana/data';
import type { Dashboard, DashboardLink } from '@grafana/schema';
import { Button, Combobox, Icon, InlineLabel, Input, MultiCombobox } from '@grafana/ui';
import { ALL, interpolate, type BuiltIns, type Scope, type Variable } from './variables';

export interface Listed {
  uid: string;
  title: string;
  description?: string;
  tags?: string[];
}

export type Change = (params: Record<string, string | string[]>) => void;

const RANGES = ['5m', '15m', '1h', '6h', '24h'];
const REFRESHES = ['', '5s', '10s', '30s', '1m', '5m'];

export function TimeControls({ range, refresh, change, reload }: { range: TimeRange; refresh: string; change: Change; reload: () => void }) {
  const from = String(range.raw.from);
  const options = RANGES.map((r) => ({ label: `Last ${r}`, value: `now-${r}` }));
  const known = options.some((o) => o.value === from) && range.raw.to === 'now';
  const asked = known ? options : [...options, { label: rangeUtil.describeTimeRange(range.raw), value: from }];
  return (
    <>
      <Combobox aria-label="Time range" prefixIcon="clock-nine" options={asked} value={from} width="auto" minWidth={18} onChange={(o) => change({ from: o.value, to: 'now' })} />
      <Button variant="secondary" icon="sync" aria-label="Refresh" onClick={reload} />
      <Combobox aria-label="Refresh every" options={REFRESHES.map((r) => ({ label: r || 'Off', value: r }))} value={refresh} width={10} onChange={(o) => change({ refresh: o.value })} />
    </>
  );
}

export function Variables({ scope, change }: { scope: Scope; change: Change }) {
  const shown = Object.values(scope).filter(({ model }) => (model.hide ?? 0) < 2 && model.type !== 'constant');
  return (
    <>
      {shown.map((variable) => (
        <div key={variable.model.name} className="variable" data-variable={variable.model.name}>
          {model(variable).hide !== 1 && <InlineLabel width="auto">{variable.model.label || variable.model.name}</InlineLabel>}
          <Choice variable={variable} change={change} />
        </div>
      ))}
    </>
  );
}

const model = (variable: Variable) => variable.model;

function Choice({ variable: { model, options, values }, change }: { variable: Variable; change: Change }) {
  const set = (chosen: string[]) => change({ [`var-${model.name}`]: chosen });
  const list = [...(model.includeAll ? [{ text: 'All', value: ALL }] : []), ...options].map((o) => ({ label: o.text, value: o.value }));
  if (model.type === 'textbox') {
    return <Input aria-label={model.name} defaultValue={values[0]} width={20} onBlur={(e) => set([e.currentTarget.value])} />;
  }
  if (model.multi) {
    const pick = (chosen: string[]) => {
      const added = chosen.find((v) => !values.includes(v));
      const rest = added === ALL ? [ALL] : chosen.filter((v) => v !== ALL);
      set(rest.length ? rest : [ALL]);
    };
    return <MultiCombobox aria-label={model.name} options={list} value={values} width="auto" minWidth={16} maxWidth={60} onChange={(o) => pick(o.map((x) => x.value))} />;
  }
  return <Combobox aria-label={model.name} options={list} value={values[0]} width="auto" minWidth={16} onChange={(o) => set([o.value])} />;
}

export function DashboardLinks({ dashboard, all, scope, builtIns }: { dashboard: Dashboard; all: Listed[]; scope: Scope; builtIns: BuiltIns }) {
  const links = (dashboard.links ?? []).flatMap((link): Array<{ title: string; href: string; blank: boolean; outside: boolean }> => {
    const blank = link.targetBlank;
    if (link.type !== 'dashboards') {
      const href = interpolate(link.url ?? '', scope, builtIns, 'uriencode');
      return [{ title: interpolate(link.title, scope, builtIns), href: extend(href, link, builtIns), blank, outside: /^https?:/.test(href) }];
    }
    const found = all.filter((d) => d.uid !== dashboard.uid && link.tags.every((tag) => d.tags?.includes(tag)));
    return found.map((d) => ({ title: d.title, href: extend(`/d/${d.uid}`, link, builtIns), blank, outside: false }));
  });
  return (
    <>
      {links.map(({ title, href, blank, outside }) => (
        <a key={title + href} className="dashboard-link" href={href} target={blank ? '_blank' : undefined} rel="noreferrer">
          <Icon name={outside ? 'external-link-alt' : 'apps'} size="sm" /> {title}
        </a>
      ))}
    </>
  );
}

function extend(href: string, link: DashboardLink, builtIns: BuiltIns): string {
  const more = [link.keepTime && builtIns.__url_time_range, link.includeVars && builtIns.__all_variables].filter(Boolean).join('&');
  return more ? `${href}${href.includes('?') ? '&' : '?'}${more}` : href;
}
