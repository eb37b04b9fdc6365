/** One dashboard: its controls, and its rows and panels on Grafana's grid of 24 columns. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { rangeUtil, type GrafanaTheme2 } from '@grafana/data';
import type { Dashboard, Panel, RowPanel } from '@grafana/schema';
import { Alert, ErrorBoundaryAlert, Icon, useTheme2 } from '@grafana/ui';
import { readAnnotations } from './annotations';
import { intervals, type Context } from './frames';
import { PanelView } from './Panel';
import { DashboardLinks, TimeControls, VariableControl, type Change, type Listed, Notice } from './Toolbar';
import { interpolate, readVariables, type BuiltIns } from './variables';

/** Grafana's grid, in pixels. */
const [COLUMNS, CELL, GAP] = [24, 30, 8];

/** Panels after an open row belong to it, a collapsed row carries its own. */
function sectionsOf(dashboard: Dashboard): Array<{ row?: RowPanel; panels: Panel[] }> {
  const sections: ReturnType<typeof sectionsOf> = [{ panels: [] }];
  for (const panel of dashboard.panels ?? []) {
    const row = panel.type === 'row' ? (panel as RowPanel) : undefined;
    void (row ? sections.push({ row, panels: [...(row.panels ?? [])] }) : sections.at(-1)!.panels.push(panel as Panel));
  }
  return sections;
}

async function load(dashboard: Dashboard, url: URLSearchParams, usual: BuiltIns, theme: GrafanaTheme2) {
  const asked = (name: 'from' | 'to', otherwise: string) => url.get(name) ?? dashboard.time?.[name] ?? otherwise;
  const raw = { from: asked('from', 'now-1h'), to: asked('to', 'now') };
  const bound = (text: string) => (/^\d+$/.test(text) ? new Date(Number(text)).toISOString() : text);
  const range = rangeUtil.convertRawToRange({ from: bound(raw.from), to: bound(raw.to) });
  const builtIns: BuiltIns = { __url_time_range: `from=${raw.from}&to=${raw.to}`, __dashboard: dashboard.title ?? '' };
  Object.assign(builtIns, { __from: String(range.from.valueOf()), __to: String(range.to.valueOf()) });
  const scope = await readVariables(dashboard, url, usual, { ...builtIns, ...intervals(range, 1000).macros }, range);
  builtIns.__all_variables = Object.keys(scope).map((name) => interpolate(`\${${name}:queryparam}`, scope, {})).join('&');
  const context: Context = { range, scope, builtIns, theme };
  return { context, marks: await readAnnotations(dashboard, context) };
}

type Loaded = Awaited<ReturnType<typeof load>>;

export function DashboardPage({ dashboard, all, usual }: { dashboard: Dashboard; all: Listed[]; usual: BuiltIns }) {
  const theme = useTheme2();
  const [search, setSearch] = useState(location.search);
  const [tick, setTick] = useState(0);
  const [loaded, setLoaded] = useState<Loaded>();
  const [error, setError] = useState<string>();
  const [folded, setFolded] = useState<Record<number, boolean>>({});
  const [width, setWidth] = useState(0);
  const grid = useRef<HTMLDivElement>(null);
  const url = useMemo(() => new URLSearchParams(search), [search]);
  const refresh = url.get('refresh') ?? (dashboard.refresh || '');
  const sections = useMemo(() => sectionsOf(dashboard), [dashboard]);
  const reload = useCallback(() => setTick((n) => n + 1), []);

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    observer.observe(grid.current!);
    addEventListener('popstate', () => setSearch(location.search));
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    const timer = refresh ? setInterval(reload, rangeUtil.intervalToMs(refresh)) : undefined;
    return () => clearInterval(timer);
  }, [refresh, reload]);
  useEffect(() => {
    let isCurrent = true;
    const keep = (now: Loaded | undefined, error?: string) => isCurrent && (setLoaded((old) => now ?? old), setError(error));
    load(dashboard, url, usual, theme).then(keep, (e: Error) => keep(undefined, e.message));
    return () => void (isCurrent = false);
  }, [dashboard, url, usual, tick, theme]);
  const change: Change = useCallback((params) => {
    const next = new URLSearchParams(location.search);
    Object.keys(params).forEach((name) => next.delete(name));
    Object.entries(params).forEach(([name, value]) => [value].flat().forEach((v) => next.append(name, v)));
    history.pushState(null, '', `?${next}`);
    setSearch(`?${next}`);
  }, []);
  const onZoom = useCallback(({ from, to }: { from: number; to: number }) => change({ from: from.toFixed(), to: to.toFixed() }), [change]);
  const cell = (width - (COLUMNS - 1) * GAP) / COLUMNS;
  const draw = ({ context, marks }: Loaded, { row, panels }: (typeof sections)[0], i: number) => {
    const isClosed = row ? (folded[i] ?? row.collapsed) : false;
    const top = Math.min(...panels.map((p) => p.gridPos?.y ?? 0));
    const cells = (isClosed ? [] : panels).map((panel) => {
      const { x = 0, y = 0, w = 12, h = 8 } = panel.gridPos ?? {};
      const size = { width: Math.floor(w * (cell + GAP) - GAP), height: h * (CELL + GAP) - GAP };
      const style = { gridColumn: `${x + 1} / span ${w}`, gridRow: `${y - top + 1} / span ${h}` };
      return <div key={panel.id} style={style}><ErrorBoundaryAlert><PanelView {...{ panel, context, marks, onZoom, ...size }} /></ErrorBoundaryAlert></div>;
    });
    return (
      <section key={i}>
        {row && (
          <button className="row-title" data-collapsed={isClosed} onClick={() => setFolded({ ...folded, [i]: !isClosed })}>
            <Icon name={isClosed ? 'angle-right' : 'angle-down'} /> {interpolate(row.title ?? '', context.scope, {}, 'text')}
            {isClosed && <small>({panels.length} panels)</small>}
          </button>
        )}
        <div className="grid">{cells}</div>
      </section>
    );
  };
  const variables = Object.values(loaded?.context.scope ?? {}).filter(({ model }) => (model.hide ?? 0) < 2 && model.type !== 'constant');
  return (
    <main>
      <header>
        <a className="home" href="/" aria-label="All dashboards"><Icon name="apps" /></a>
        <h1 className="grow">{dashboard.title}</h1>
        {loaded && <TimeControls range={loaded.context.range} refresh={refresh} change={change} reload={reload} />}
      </header>
      <Notice />
      <nav>
        {variables.map((variable) => <VariableControl key={variable.model.name} variable={variable} change={change} />)}
        <span className="grow" />
        {loaded && <DashboardLinks dashboard={dashboard} all={all} context={loaded.context} />}
      </nav>
      {error && <Alert title="The variables or annotations can't be read">{error}</Alert>}
      <div ref={grid} data-dashboard={dashboard.uid}>{loaded && width > 0 && sections.map((section, i) => draw(loaded, section, i))}</div>
    </main>
  );
}
