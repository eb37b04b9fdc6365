// Run before the page by test_preview.py: remembers where each canvas holds text, in pixels of the canvas.
{
  const prototype = CanvasRenderingContext2D.prototype;
  const { fillText, clearRect } = prototype;
  prototype.clearRect = function (...box) {
    this.canvas.__labels = [];
    return clearRect.apply(this, box);
  };
  prototype.fillText = function (text, x, y, ...rest) {
    const size = this.measureText(text);
    const move = this.getTransform();
    const corners = [
      [x - size.actualBoundingBoxLeft, y - size.actualBoundingBoxAscent],
      [x + size.actualBoundingBoxRight, y + size.actualBoundingBoxDescent],
    ].map(([left, top]) => move.transformPoint({ x: left, y: top }));
    const [xs, ys] = [corners.map((c) => c.x), corners.map((c) => c.y)];
    (this.canvas.__labels ??= []).push({
      text, left: Math.min(...xs), right: Math.max(...xs), top: Math.min(...ys), bottom: Math.max(...ys),
    });
    return fillText.call(this, text, x, y, ...rest);
  };
}
