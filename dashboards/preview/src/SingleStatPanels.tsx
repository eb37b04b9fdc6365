/** Panels that show one value a series: stat, gauge, bargauge. */
import type { JSX } from 'react';
import {
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  VizOrientation,
  type DataFrame,
  type DisplayValueAlignmentFactors,
  type FieldConfigSource,
  type FieldDisplay,
  type GrafanaTheme2,
  type InterpolateFunction,
  ThresholdsMode,
  formattedValueToString,
} from '@grafana/data';
import { BarGaugeDisplayMode, type Panel, type VizTextDisplayOptions } from '@grafana/schema';
import {
  BarGauge,
  BigValue,
  BigValueColorMode,
  BigValueGraphMode,
  BigValueJustifyMode,
  BigValueTextMode,
  DataLinksContextMenu,
  VizRepeater,
} from '@grafana/ui';

interface Options {
  reduceOptions?: { calcs?: string[]; values?: boolean; fields?: string; limit?: number };
  orientation?: VizOrientation;
  text?: VizTextDisplayOptions;
  colorMode?: BigValueColorMode;
  graphMode?: BigValueGraphMode;
  justifyMode?: BigValueJustifyMode;
  textMode?: BigValueTextMode;
  wideLayout?: boolean;
  displayMode?: BarGaugeDisplayMode;
  showUnfilled?: boolean;
  minVizWidth?: number;
  minVizHeight?: number;
  maxVizHeight?: number;
  showThresholdLabels?: boolean;
}

interface Props {
  panel: Panel;
  frames: DataFrame[];
  theme: GrafanaTheme2;
  width: number;
  height: number;
  replace: InterpolateFunction;
}

interface One {
  value: FieldDisplay;
  width: number;
  height: number;
  count: number;
  factors: DisplayValueAlignmentFactors;
  onClick?: (event: React.MouseEvent<HTMLElement>) => void;
  className?: string;
}

export function SingleStatPanel({ panel, frames, theme, width, height, replace }: Props) {
  const options = (panel.options ?? {}) as Options;
  const graph = panel.type === 'stat' ? (options.graphMode ?? BigValueGraphMode.Area) : BigValueGraphMode.None;
  const values = () =>
    getFieldDisplayValues({
      data: frames,
      fieldConfig: (panel.fieldConfig ?? { defaults: {}, overrides: [] }) as unknown as FieldConfigSource,
      reduceOptions: { ...options.reduceOptions, calcs: options.reduceOptions?.calcs ?? ['lastNotNull'] },
      replaceVariables: replace,
      theme,
      sparkline: graph !== BigValueGraphMode.None,
      timeZone: 'browser',
    });
  const draw = (one: One): JSX.Element => {
    const shared = { width: one.width, height: one.height, theme, onClick: one.onClick, className: one.className, text: options.text };
    switch (panel.type) {
      case 'gauge':
        return <Arc {...one} labels={options.showThresholdLabels ?? false} theme={theme} />;
      case 'bargauge':
        return (
          <BarGauge
            {...shared}
            value={one.value.display}
            field={one.value.field}
            display={one.value.view?.getFieldDisplayProcessor(one.value.colIndex ?? 0)}
            orientation={barOrientation(options.orientation, width, height)}
            displayMode={options.displayMode ?? BarGaugeDisplayMode.Gradient}
            showUnfilled={options.showUnfilled ?? true}
            alignmentFactors={one.factors}
            itemSpacing={10}
            lcdCellWidth={8}
          />
        );
      default:
        return (
          <BigValue
            {...shared}
            value={one.value.display}
            sparkline={one.value.sparkline}
            count={one.count}
            colorMode={options.colorMode ?? BigValueColorMode.Value}
            graphMode={graph}
            justifyMode={options.justifyMode ?? BigValueJustifyMode.Auto}
            textMode={options.textMode ?? BigValueTextMode.Auto}
            alignmentFactors={one.factors}
            disableWideLayout={options.wideLayout === false}
          />
        );
    }
  };
  const bars = panel.type === 'bargauge';
  return (
    <VizRepeater
      source={frames}
      renderCounter={0}
      width={width}
      height={height}
      getValues={values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      orientation={options.orientation ?? VizOrientation.Auto}
      autoGrid={!bars}
      itemSpacing={bars ? 10 : 8}
      minVizWidth={bars ? (options.minVizWidth ?? 8) : undefined}
      minVizHeight={bars ? (options.minVizHeight ?? 16) : undefined}
      maxVizHeight={bars ? (options.maxVizHeight ?? 300) : undefined}
      renderValue={({ value, alignmentFactors, ...size }) => {
        const one = { ...size, value, factors: alignmentFactors };
        if (!value.hasLinks || !value.getLinks) {
          return draw(one);
        }
        return (
          <DataLinksContextMenu links={value.getLinks} style={{ height: '100%', width: '100%' }}>
            {({ openMenu, targetClassName }) => draw({ ...one, onClick: openMenu, className: targetClassName })}
          </DataLinksContextMenu>
        );
      }}
    />
  );
}

const barOrientation = (asked: VizOrientation | undefined, width: number, height: number) =>
  asked && asked !== VizOrientation.Auto ? asked : width > height ? VizOrientation.Vertical : VizOrientation.Horizontal;

/** Grafana's gauge is not in the published @grafana/ui, so this one arc is our own: value, and thresholds around it. */
function Arc({ value, width, height, count, theme, labels }: One & { theme: GrafanaTheme2; labels: boolean }) {
  const { display, field } = value;
  const [min, max] = [field.min ?? 0, field.max ?? 100];
  const title = count > 1 || display.title !== field.displayName ? display.title : undefined;
  const label = count > 1 && title ? 20 : 0;
  const radius = Math.max(10, Math.min(width / 2, (height - label) / 1.75) - 8);
  const [cx, cy] = [width / 2, (height - label) / 2 + radius * 0.2];
  const share = (v: number) => Math.min(1, Math.max(0, (v - min) / (max - min || 1)));
  const at = (part: number, r: number): [number, number] => {
    const angle = Math.PI * (0.85 + part * 1.3);
    return [cx + r * Math.cos(angle), cy + r * Math.sin(angle)];
  };
  const path = (from: number, to: number, r: number) => `M${at(from, r)}A${r},${r} 0 ${to - from > 0.77 ? 1 : 0} 1 ${at(to, r)}`;
  const steps = field.thresholds?.steps ?? [];
  const start = (i: number) => {
    const step = steps[i]?.value ?? (i < steps.length ? -Infinity : max);
    return field.thresholds?.mode === ThresholdsMode.Percentage ? share(min + ((max - min) * step) / 100) : share(step);
  };
  const [band, thin] = [radius * 0.22, Math.max(2, radius * 0.05)];
  const text = formattedValueToString(display);
  return (
    <svg width={width} height={height} role="img" aria-label={`${display.title ?? ''} ${text}`} data-gauge>
      <path d={path(0, 1, radius - thin - band / 2 - 2)} stroke={theme.colors.background.secondary} strokeWidth={band} fill="none" />
      {Number.isFinite(display.numeric) && share(display.numeric) > 0 && (
        <path d={path(0, share(display.numeric), radius - thin - band / 2 - 2)} stroke={display.color} strokeWidth={band} fill="none" />
      )}
      {steps.map((step, i) => (
        <path key={i} d={path(start(i), start(i + 1), radius - thin / 2)} stroke={theme.visualization.getColorByName(step.color)} strokeWidth={thin} fill="none" />
      ))}
      <text x={cx} y={cy} textAnchor="middle" dominantBaseline="central" fill={display.color} fontSize={Math.min(radius * 0.5, (radius * 1.9) / Math.max(3, text.length))} fontWeight={500}>
        {text}
      </text>
      {labels && [min, max].map((v, i) => <text key={i} x={at(i, radius)[0]} y={cy + radius * 0.7} fontSize={11} textAnchor="middle" fill={theme.colors.text.secondary}>{v}</text>)}
      {label > 0 && <text x={cx} y={height - 6} fontSize={13} textAnchor="middle" fill={theme.colors.text.primary}>{title}</text>}
    </svg>
  );
}
