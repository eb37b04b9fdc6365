/** The page: the list of dashboards, or one of them. */
import { useEffect, useState } from 'react';
import type { Dashboard } from '@grafana/schema';
import { Alert } from '@grafana/ui';
import { DashboardPage } from './Dashboard';
import { Notice, type Listed } from './Toolbar';

/** What serve.py answers: the dashboards there are, and values for their variables. */
type Config = { dashboards: Listed[]; variables: Record<string, string> };

async function getJson<T>(path: string): Promise<T> {
  const response = await fetch(path);
  return response.ok ? response.json() : Promise.reject(new Error(`${path}: ${response.status} ${response.statusText}`));
}

export function App() {
  const [config, setConfig] = useState<Config>();
  const [dashboard, setDashboard] = useState<Dashboard>();
  const [error, setError] = useState<string>();
  const uid = /^\/d\/([^/]+)/.exec(location.pathname)?.[1];
  useEffect(() => {
    const fail = (e: Error) => setError(e.message);
    getJson<Config>('/config.json').then(setConfig, fail);
    if (uid) {
      getJson<Dashboard>(`/dashboards/${uid}.json`).then(setDashboard, fail);
    }
  }, [uid]);
  document.title = `${dashboard?.title ?? 'Dashboards'} (preview)`;
  if (error) {
    return <Alert title="The preview can't be shown">{error}</Alert>;
  }
  const entries = config?.dashboards.map((d) => <p key={d.uid}><a className="dashboard-link" href={`/d/${d.uid}`}>{d.title}</a> {d.description}</p>);
  const index = <main><h1>Dashboards</h1><Notice />{entries}</main>;
  return uid && config ? dashboard && <DashboardPage dashboard={dashboard} all={config.dashboards} usual={config.variables} /> : index;
}
