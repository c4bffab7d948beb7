export interface HubExpectation {
  readonly name: string;
  readonly bytes?: number;
  readonly sha256?: string;
  readonly gitBlob?: string;
  readonly source: string;
}
