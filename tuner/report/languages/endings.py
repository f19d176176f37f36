"""Why a study ended before it had all its trials, and how far those are that wait: the sentences, in each language."""

from __future__ import annotations

ENGLISH = {
    "ended_flat": "The search was ended because its last {patience} trials brought no gain above noise: the best before them had {before}, "
    "{among}, and the noise is {noise} ({source}).",
    "ended_among": "the best among them {best}",
    "ended_none": "and none of them was trained to its end",
    "ended_budget": "The search was ended by its budget: {spent} of {budget} of training are spent, and no trial fits what is left.",
    "noise_repeats": "from configurations that were trained more than once",
    "noise_binomial": "the binomial error on {images} validation images",
    "noise_unknown": "how large it is, is not known",
    "paused_many": "Paused are {places}: {command} says where each stands.",
    "paused_place": "{number} at epoch {epoch}",
}
KOREAN = {
    "ended_flat": "마지막 시도 {patience}개가 잡음보다 큰 향상을 내지 못해 탐색을 끝냈다. "
    "그전 최고 {before}, {among}, 잡음 {noise}({source}).",
    "ended_among": "그 가운데 최고 {best}",
    "ended_none": "그 가운데 끝까지 학습한 시도 없음",
    "ended_budget": "예산에 따라 탐색을 끝냈다. 학습 시간 예산 {budget} 가운데 {spent} 썼고, 남은 시간에 끝낼 수 있는 시도가 없다.",
    "noise_repeats": "여러 번 학습한 구성에서 계산",
    "noise_binomial": "검증 이미지 {images}장의 이항 오차",
    "noise_unknown": "크기를 알 수 없음",
    "paused_many": "멈춰 있는 시도: {places}. 각각의 순위는 {command} 명령이 보여 준다.",
    "paused_place": "에폭 {epoch}에서 {number}개",
}
