/** The page: the list of dashboards, or one of them. */
import { useEffect, useState } from 'react';
import type { Dashboard } from '@grafana/schema';
import { Alert, Icon } from '@grafana/ui';
import { DashboardPage } from './Dashboard';
import type { Listed } from './Toolbar';

interface Config {
  dashboards: Listed[];
  variables: Record<string, string>;
}

async function getJson<T>(path: string): Promise<T> {
  const response = await fetch(path);
  if (!response.ok) {
    throw new Error(`${path}: ${response.status} ${response.statusText}`);
  }
  return response.json();
}

export function Notice() {
  return (
    <p className="notice">
      <Icon name="info-circle" /> A preview and a test, drawn with Grafana&apos;s component library: it edits, stores and alerts nothing. To work with these
      dashboards, run Grafana.
    </p>
  );
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
  useEffect(() => {
    document.title = `${dashboard?.title ?? 'Dashboards'} (preview)`;
  }, [dashboard]);
  if (error) {
    return <Alert title="The preview can't be shown">{error}</Alert>;
  }
  if (uid) {
    return dashboard && config && <DashboardPage dashboard={dashboard} all={config.dashboards} usual={config.variables} />;
  }
  return (
    <main className="index">
      <h1>Dashboards</h1>
      <Notice />
      {config?.dashboards.map((d) => (
        <a key={d.uid} className="index-entry" href={`/d/${d.uid}`}>
          <strong>{d.title}</strong>
          <span>{d.description}</span>
        </a>
      ))}
    </main>
  );
}
