/** The WebSocket that feeds one panel: reconnects with backoff until the run is over. */

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8000;
const UNKNOWN_RUN = 4404;
const FOREIGN_ORIGIN = 4403;

/** One run's feed. `since()` names the last step held, so that nothing is sent twice; `channel` carries it with others. */
export class Feed {
  constructor({ base, run, since, onText, onRows, onLink, channel = null }) {
    this.base = base;
    this.run = run;
    this.since = since;
    /** @type {import("./channel.js").Channel | null} */
    this.channel = channel;
    this.onText = onText;
    this.onRows = onRows;
    this.onLink = onLink;
    this.final = false;
    /** @type {any} */
    this.socket = null;
    this.timer = 0;
    this.wait = FIRST_WAIT;
    this.connect();
  }

  /** Send a message, if there is somebody to send it to. */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Close for good: no message and no reconnect follows. */
  close() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
  }

  /** True when the server closed after the run's ending. */
  get ended() {
    return this.final && this.socket === null;
  }

  connect() {
    let socket;
    try {
      socket = this.channel?.open(this.run, this.since()) ?? new WebSocket(address(`${this.base}/live/${encodeURIComponent(this.run)}?since=${this.since()}`));
    } catch {
      this.retry();
      return;
    }
    socket.binaryType = "arraybuffer";
    socket.onmessage = (event) => this.socket === socket && this.receive(event.data);
    socket.onclose = (event) => this.socket === socket && this.closed(event.code);
    this.socket = socket;
  }

  receive(data) {
    this.wait = FIRST_WAIT;
    this.onLink("open");
    if (typeof data === "string") {
      const message = parse(data);
      if (message) this.onText(message);
    } else {
      const rows = decode(data);
      if (rows) this.onRows(rows);
    }
  }

  closed(code) {
    this.socket = null;
    if (code === UNKNOWN_RUN) this.onLink("unknown");
    else if (code === FOREIGN_ORIGIN) this.onLink("foreign");
    else if (this.final) this.onLink("ended");
    else this.retry();
  }

  retry() {
    this.onLink("lost");
    this.timer = setTimeout(() => this.connect(), this.wait);
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
  }
}

/** The address of a socket of this server. */
export function address(path) {
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}${path}`;
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function decode(buffer) {
  if (buffer.byteLength < 16) return null;
  const [kind, count, width, stride] = new Uint32Array(buffer, 0, 4);
  if (buffer.byteLength < 16 + 4 * count * width) return null;
  return { detail: kind === 2, count, width, stride, values: new Float32Array(buffer, 16, count * width) };
}
