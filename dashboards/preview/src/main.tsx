import { createRoot } from 'react-dom/client';
import { createTheme, ThemeContext } from '@grafana/data';
import { GlobalStyles } from '@grafana/ui';
import { App } from './App';
import './style.css';

const mode = new URLSearchParams(location.search).get('theme') === 'light' ? 'light' : 'dark';
const theme = createTheme({ colors: { mode } });
document.body.style.background = theme.colors.background.canvas;
document.body.style.setProperty('--weak', theme.colors.text.secondary);
document.body.style.setProperty('--panel', theme.colors.background.primary);
document.body.style.setProperty('--border', theme.colors.border.weak);
document.body.style.setProperty('--error', theme.colors.error.text);

createRoot(document.getElementById('root')!).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <App />
  </ThemeContext.Provider>
);
