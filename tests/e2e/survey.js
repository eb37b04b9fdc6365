/*
 * Run inside the page by test_preview.py: what a person at the screen could not read.
 *
 * A finding is {panel, rule, detail}. Rules:
 *   clipped    text that its own box cuts off, with or without dots (titles, legends, cells, values)
 *   outside    text that lies outside its panel
 *   scrolled   content that needs scrolling to be read; downwards in a table or a legend it may
 *   tiny       text smaller than 9 pixels
 *   axis       labels of an axis that overlap each other, or are cut off by the edge of the canvas
 */
() => {
  const SLACK = 1.5; // pixels; browsers round
  const LINE_SLACK = 4; // a line's box is higher than its letters
  const findings = [];
  const visible = (element) => {
    const box = element.getBoundingClientRect();
    const style = getComputedStyle(element);
    return box.width > 1 && box.height > 1 && style.visibility !== 'hidden' && style.opacity !== '0';
  };
  const ownText = (element) =>
    [...element.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE).map((n) => n.textContent.trim()).join(' ').trim();
  const scrolls = (style, axis) => /auto|scroll/.test(axis === 'x' ? style.overflowX : style.overflowY);

  for (const panel of document.querySelectorAll('[data-panel-id]')) {
    const report = (rule, detail) => findings.push({ panel: panel.dataset.panelTitle, rule, detail });
    const edge = panel.querySelector('section').getBoundingClientRect();
    const isList = /table|timeseries/.test(panel.dataset.panelType);
    for (const element of panel.querySelectorAll('section *')) {
      if (!visible(element)) continue;
      const style = getComputedStyle(element);
      if (scrolls(style, 'x') && element.scrollWidth > element.clientWidth + SLACK) {
        report('scrolled', `${element.scrollWidth} px wide in ${element.clientWidth}`);
      }
      if (!isList && scrolls(style, 'y') && element.scrollHeight > element.clientHeight + SLACK) {
        report('scrolled', `${element.scrollHeight} px high in ${element.clientHeight}`);
      }
      const text = ownText(element);
      if (!text || element.matches('svg *, style')) continue;
      if (parseFloat(style.fontSize) < 9) report('tiny', `${style.fontSize}: ${text}`);
      for (let box = element; box !== panel; box = box.parentElement) {
        // The text's own width against each box that would cut it off, up to the next box that scrolls.
        const boxStyle = getComputedStyle(box);
        if (scrolls(boxStyle, 'x') || scrolls(boxStyle, 'y')) break;
        if (/hidden|clip/.test(boxStyle.overflow)) {
          const range = document.createRange();
          range.selectNodeContents(element);
          const [words, frame] = [range.getBoundingClientRect(), box.getBoundingClientRect()];
          const sideways = words.right > frame.right + SLACK || words.left < frame.left - SLACK;
          const down = !isList && words.bottom > frame.bottom + LINE_SLACK;
          if (sideways || down) {
            report('clipped', text);
            break;
          }
        }
      }
      const box = element.getBoundingClientRect();
      const sideways = box.left < edge.left - SLACK || box.right > edge.right + SLACK;
      const below = box.bottom > edge.bottom + SLACK && !inScroller(element, panel);
      if (sideways || below) report('outside', text);
    }
    for (const canvas of panel.querySelectorAll('canvas')) {
      for (const detail of axisFaults(canvas)) report('axis', detail);
    }
  }
  return findings;

  // Rows below the visible part of a list that scrolls are read by scrolling: long lists may be long.
  function inScroller(element, panel) {
    for (let box = element.parentElement; box && box !== panel; box = box.parentElement) {
      if (scrolls(getComputedStyle(box), 'y')) return true;
    }
    return false;
  }

  // __labels is kept by canvas.js: the texts that were drawn since the canvas was last cleared.
  function axisFaults(canvas) {
    const labels = (canvas.__labels ?? []).filter((label) => label.text.trim());
    const faults = labels
      .filter((l) => l.left < -SLACK || l.right > canvas.width + SLACK || l.top < -SLACK || l.bottom > canvas.height + SLACK)
      .map((l) => `cut off: ${l.text}`);
    labels.forEach((a, i) =>
      labels.slice(i + 1).forEach((b) => {
        const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (width > SLACK && height > SLACK) faults.push(`overlap: ${a.text} and ${b.text}`);
      })
    );
    return faults;
  }
}
