/** Sends a file by tus, in pieces: what was cut, now or on another day, goes on where it was. */
import { Upload, type DetailedError } from 'tus-js-client';

import { ApiError, problemSentence, url } from '../../api';
import { proof } from '../api';

/** Bytes of a request; the server takes 16 MiB at most. A slow line shows progress all the same. */
const PIECE = 4 << 20;
const RETRY_AFTER = [0, 1000, 3000, 10_000, 30_000];

export interface Sending {
  /** Id of the upload, once all of it is there. */
  readonly done: Promise<string>;
  /** Ends it; what has come stays. */
  readonly stop: () => void;
}

/** The server's own sentence, where it gave one. */
function faultOf(error: Error | DetailedError): Error {
  const answer = 'originalResponse' in error ? error.originalResponse : null;
  if (!answer) return error;
  let body: unknown = null;
  try {
    body = JSON.parse(answer.getBody());
  } catch {
    // not of the server itself: its status says what there is to say
  }
  return new ApiError(problemSentence(body, answer.getStatus()), answer.getStatus(), null, body);
}

/** `told` hears of bytes that the server has; `resumed` that some were there before. */
export function send(file: File, told: (sent: number, whole: number) => void, resumed: () => void): Sending {
  let stop = (): void => undefined;
  const done = new Promise<string>((resolve, reject) => {
    const upload = new Upload(file, {
      endpoint: url('compressions/uploads').href,
      headers: proof(),
      metadata: { filename: file.name },
      chunkSize: PIECE,
      retryDelays: RETRY_AFTER,
      removeFingerprintOnSuccess: true,
      onProgress: told,
      onError: (error) => reject(faultOf(error)),
      onSuccess: () => resolve(upload.url?.split('/').pop() ?? ''),
    });
    stop = () => {
      void upload.abort();
      reject(new DOMException('stopped', 'AbortError'));
    };
    upload.findPreviousUploads().then(([before]) => {
      if (before) {
        upload.resumeFromPreviousUpload(before);
        resumed();
      }
      upload.start();
    }, reject);
  });
  return { done, stop: () => stop() };
}
