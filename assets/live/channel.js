/** One WebSocket for all runs of a panel: a browser opens one after the other, and not hundreds of them. */
import { address } from "./feed.js";

/** Carries parts; each is to its `Feed` as a socket of its own. */
export class Channel {
  constructor(base) {
    this.base = base;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.waiting = [];
    /** @type {Map<number, Part>} */
    this.parts = new Map();
    this.number = 0;
  }

  /** Open the part of a run, from a step on. */
  open(run, since) {
    const part = new Part(this, (this.number += 1));
    this.parts.set(part.number, part);
    this.send({ part: part.number, run, since });
    return part;
  }

  /** Send a message, once the socket is open. */
  send(message) {
    this.socket ??= this.connect();
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
    else this.waiting.push(message);
  }

  connect() {
    const socket = new WebSocket(address(`${this.base}/live/several`));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.waiting.splice(0).forEach((message) => this.send(message));
    socket.onmessage = ({ data }) => this.receive(data);
    socket.onclose = ({ code }) => socket === this.socket && this.closed(code);
    return socket;
  }

  /** Hand what has come to its part; a text that is a number alone closes it. */
  receive(data) {
    const [number, said] = typeof data === "string" ? divided(data) : [new DataView(data).getUint32(0, true), data.slice(4)];
    const part = this.parts.get(number);
    if (typeof said !== "string" || said.startsWith("{")) return part?.onmessage?.({ data: said });
    this.parts.delete(number);
    return part?.onclose?.({ code: Number(said) });
  }

  /** The socket is gone, and so are all parts: their feeds open others. */
  closed(code) {
    const parts = [...this.parts.values()];
    this.socket = null;
    this.waiting = [];
    this.parts.clear();
    parts.forEach((part) => part.onclose?.({ code }));
  }

  /** A part is needed no more; without any, the socket is not either. */
  leave(part) {
    if (!this.parts.delete(part.number)) return;
    this.send({ part: part.number, close: true });
    if (this.parts.size) return;
    this.socket?.close(1000);
    this.socket = null;
    this.waiting = [];
  }
}

/** What a `Feed` needs of a WebSocket. */
class Part {
  constructor(channel, number) {
    this.channel = channel;
    this.number = number;
    /** @type {any} */
    this.onmessage = null;
    /** @type {any} */
    this.onclose = null;
  }

  get readyState() {
    return this.channel.parts.has(this.number) ? (this.channel.socket?.readyState ?? WebSocket.CLOSED) : WebSocket.CLOSED;
  }

  send(text) {
    this.channel.send({ ...JSON.parse(text), part: this.number });
  }

  close() {
    this.channel.leave(this);
  }
}

/** A text's number and the rest. */
function divided(text) {
  const blank = text.indexOf(" ");
  return [Number(text.slice(0, blank)), text.slice(blank + 1)];
}
