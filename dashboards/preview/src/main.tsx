import { createRoot } from 'react-dom/client';
import { createTheme, ThemeContext } from '@grafana/data';
import { GlobalStyles } from '@grafana/ui';
import { App } from './App';
import './style.css';

const isLight = new URLSearchParams(location.search).get('theme') === 'light';
const theme = createTheme({ colors: { mode: isLight ? 'light' : 'dark' } });
const { background, text, border, error } = theme.colors;
const colors = { '--canvas': background.canvas, '--panel': background.primary, '--weak': text.secondary, '--border': border.weak, '--error': error.text };
Object.entries(colors).forEach(([name, color]) => document.body.style.setProperty(name, color));

const page = <ThemeContext.Provider value={theme}><GlobalStyles /><App /></ThemeContext.Provider>;
createRoot(document.getElementById('root')!).render(page);
