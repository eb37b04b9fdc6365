/** The page: the list of dashboards, or one of them with its rows and panels on Grafana's grid of 24 columns. */
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { rangeUtil, type TimeRange } from '@grafana/data';
import type { Dashboard, Panel, RowPanel } from '@grafana/schema';
import { Alert, Icon, useTheme2 } from '@grafana/ui';
import { readAnnotations, type Mark } from './annotations';
import type { Context } from './frames';
import { PanelView } from './Panel';
import { DashboardLinks, TimeControls, Variables, type Change, type Listed } from './Toolbar';
import { ALL, interpolate, readVariables, type BuiltIns, type Scope } from './variables';

const COLUMNS = 24;
const CELL = 30;
const GAP = 8;

async function getJson<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (!response.ok) {
    throw new Error(`${path}: ${response.status} ${response.statusText}`);
  }
  return response.json();
}

function Notice() {
  return (
    <div className="notice">
      <Icon name="info-circle" /> This is a preview and a test, drawn with Grafana&apos;s component library. It edits and stores nothing; to work with these
      dashboards, run Grafana.
    </div>
  );
}

export function App() {
  const [all, setAll] = useState<Listed[]>();
  const [dashboard, setDashboard] = useState<Dashboard>();
  const [error, setError] = useState<string>();
  const uid = /^\/d\/([^/]+)/.exec(location.pathname)?.[1];
  useEffect(() => {
    const fail = (e: Error) => setError(e.message);
    getJson<{ dashboards: Listed[] }>('/config.json').then((config) => setAll(config.dashboards), fail);
    if (uid) {
      getJson<Dashboard>(`/dashboards/${uid}.json`).then(setDashboard, fail);
    }
  }, [uid]);
  if (error) {
    return <Alert title="The preview cannot be shown">{error}</Alert>;
  }
  if (uid) {
    return dashboard && all ? <DashboardPage dashboard={dashboard} all={all} /> : null;
  }
  return (
    <main className="index">
      <h1>Dashboards</h1>
      <Notice />
      {all?.map((d) => (
        <a key={d.uid} className="index-entry" href={`/d/${d.uid}`}>
          <strong>{d.title}</strong>
          <span>{d.description}</span>
        </a>
      ))}
    </main>
  );
}

interface Section {
  row?: RowPanel;
  panels: Panel[];
}

/** Panels after an open row belong to it, a collapsed row carries its own. */
function sectionsOf(dashboard: Dashboard): Section[] {
  const sections: Section[] = [{ panels: [] }];
  for (const panel of dashboard.panels ?? []) {
    if (panel.type === 'row') {
      sections.push({ row: panel as RowPanel, panels: [...((panel as RowPanel).panels ?? [])] });
    } else {
      sections.at(-1)!.panels.push(panel as Panel);
    }
  }
  return sections;
}

interface Loaded {
  context: Context;
  marks: Mark[];
}

function builtInsOf(range: TimeRange, dashboard: Dashboard): BuiltIns {
  const time = (raw: TimeRange['raw']['from'], at: number) => (typeof raw === 'string' ? raw : String(at));
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  return {
    __from: String(from),
    __to: String(to),
    __dashboard: dashboard.title ?? '',
    __url_time_range: `from=${time(range.raw.from, from)}&to=${time(range.raw.to, to)}`,
    timezone: 'browser',
  };
}

function DashboardPage({ dashboard, all }: { dashboard: Dashboard; all: Listed[] }) {
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
    document.title = `${dashboard.title} - preview`;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    observer.observe(grid.current!);
    const back = () => setSearch(location.search);
    addEventListener('popstate', back);
    return () => {
      observer.disconnect();
      removeEventListener('popstate', back);
    };
  }, [dashboard]);

  useEffect(() => {
    if (refresh) {
      const timer = setInterval(reload, rangeUtil.intervalToMs(refresh));
      return () => clearInterval(timer);
    }
    return undefined;
  }, [refresh, reload]);

  useEffect(() => {
    let current = true;
    const load = async () => {
      const at = (name: 'from' | 'to', usual: string) => {
        const asked = url.get(name) ?? dashboard.time?.[name] ?? usual;
        return /^\d+$/.test(asked) ? new Date(Number(asked)).toISOString() : asked;
      };
      const range = rangeUtil.convertRawToRange({ from: at('from', 'now-1h'), to: at('to', 'now') });
      const builtIns = builtInsOf(range, dashboard);
      const scope = await readVariables(dashboard, url, { ...builtIns, __range: `${range.to.diff(range.from, 'seconds')}s` }, range);
      builtIns.__all_variables = Object.keys(scope).map((name) => interpolate(`\${${name}:queryparam}`, scope, {})).join('&');
      const marks = await readAnnotations(dashboard, scope, builtIns, range, theme);
      if (current) {
        setLoaded({ context: { scope, builtIns, range, theme }, marks });
        setError(undefined);
      }
    };
    load().catch((e: Error) => current && setError(e.message));
    return () => {
      current = false;
    };
  }, [dashboard, url, tick, theme]);

  const change: Change = useCallback((params) => {
    const next = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(params)) {
      next.delete(name);
      [value].flat().forEach((v) => next.append(name, v === ALL ? 'All' : v));
    }
    history.pushState(null, '', `?${next}`);
    setSearch(`?${next}`);
  }, []);
  const onZoom = useCallback(({ from, to }: { from: number; to: number }) => change({ from: String(Math.round(from)), to: String(Math.round(to)) }), [change]);

  const column = (width - (COLUMNS - 1) * GAP) / COLUMNS;
  const span = (cells: number, cell: number) => Math.floor(cells * cell + (cells - 1) * GAP);
  const scope: Scope = loaded?.context.scope ?? {};
  return (
    <main>
      <header>
        <a className="home" href="/" aria-label="All dashboards"><Icon name="apps" /></a>
        <h1>{dashboard.title}</h1>
        <span className="grow" />
        {loaded && <TimeControls range={loaded.context.range} refresh={refresh} change={change} reload={reload} />}
      </header>
      <Notice />
      <nav>
        <Variables scope={scope} change={change} />
        <span className="grow" />
        {loaded && <DashboardLinks dashboard={dashboard} all={all} scope={scope} builtIns={loaded.context.builtIns} />}
      </nav>
      {error && <Alert title="Prometheus does not answer the variables or annotations">{error}</Alert>}
      <div ref={grid} data-dashboard={dashboard.uid} data-ready={Boolean(loaded)}>
        {loaded && width > 0 && sections.map(({ row, panels }, i) => {
          const closed = row ? (folded[i] ?? row.collapsed) : false;
          const top = Math.min(...panels.map((p) => p.gridPos?.y ?? 0));
          return (
            <section key={i}>
              {row && (
                <button className="row-title" data-row={row.title} data-collapsed={closed} onClick={() => setFolded({ ...folded, [i]: !closed })}>
                  <Icon name={closed ? 'angle-right' : 'angle-down'} /> {interpolate(row.title ?? '', scope, {}, 'text')}
                  {closed && <small>({panels.length} {panels.length === 1 ? 'panel' : 'panels'})</small>}
                </button>
              )}
              {!closed && (
                <div className="grid">
                  {panels.map((panel, n) => {
                    const { x = 0, y = 0, w = 12, h = 8 } = panel.gridPos ?? {};
                    return (
                      <div key={panel.id ?? n} style={{ gridColumn: `${x + 1} / span ${w}`, gridRow: `${y - top + 1} / span ${h}` }}>
                        <PanelView panel={panel} context={loaded.context} marks={loaded.marks} width={span(w, column)} height={span(h, CELL)} onZoom={onZoom} />
                      </div>
                    );
                  })}
                </div>
              )}
            </section>
          );
        })}
      </div>
    </main>
  );
}
